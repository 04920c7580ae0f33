//! Ctrl-C and requests to terminate: what was started is ended, temporary files are removed.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

use crate::boot::children;
use crate::outcome::Interrupted;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// From now on, an interrupt ends all children; whoever waits for one sees that and gives up.
pub fn install() {
    // Without a handler the default one ends us, and the children end with us.
    let _ = ctrlc::set_handler(|| {
        REQUESTED.store(true, Ordering::SeqCst);
        children::kill_all();
    });
}

/// Whether we are to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Gives up if we are to stop.
pub fn check() -> Result<()> {
    if requested() {
        bail!(Interrupted);
    }
    Ok(())
}
