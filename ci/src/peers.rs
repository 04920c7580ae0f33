//! Other kernels, which do the same work on the same machine.

mod initramfs;
pub mod linux;
pub mod memtest;

use std::fmt;

use anyhow::Result;
use loadphys_plan::command_line::{List, Plan, Rules};

use crate::boot::Job;
use crate::compare::Request;
use crate::machines::MachineName;
use crate::outcome::bad_input;

/// Another kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Debian's Linux for virtual machines.
    Linux,
}

/// Pages that Linux reclaims together, whatever it is asked for (`SWAP_CLUSTER_MAX` of its `include/linux/swap.h`).
pub const BATCH: u32 = 32;

/// The least memory that a peer boots with.
pub const LEAST_MEMORY_MIB: u32 = 128;

impl Peer {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
        }
    }

    /// The peer of this name.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "linux" => Ok(Self::Linux),
            _ => Err(bad_input(format!("unknown --peer '{name}': there is linux"))),
        }
    }

    /// Refuses a machine that is too small for it.
    pub fn check_memory(self, memory_mib: u32) -> Result<()> {
        if memory_mib >= LEAST_MEMORY_MIB {
            return Ok(());
        }
        let least = LEAST_MEMORY_MIB;
        Err(bad_input(format!("--memory {memory_mib}: --peer {self} needs at least {least} MiB")))
    }

    /// Fetches it unless it is there.
    ///
    /// # Errors
    /// Bad input if it cannot be fetched; what is missing.
    pub fn fetch(self) -> Result<()> {
        match self {
            Self::Linux => linux::fetch(),
        }
    }

    /// Fetches it unless it is there, builds its program, and says how it is booted for as much work as ours gets.
    ///
    /// # Errors
    /// Bad input if it cannot be fetched; what is missing.
    pub fn job(self, request: &Request, machine: MachineName) -> Result<Job> {
        let plan = request.plan(crate::machines::Path::Bare, machine, Rules::Tables);
        let plan = Plan { batch: List::new([BATCH]).expect("one number"), cpus: 1, ..plan };
        let limit = request.time_limit(crate::machines::Path::Bare, machine);
        match self {
            Self::Linux => linux::job(&plan, machine, limit),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Peer;

    #[test]
    fn a_peer_that_there_is_not_is_refused_in_one_line() {
        assert_eq!(Peer::named("linux").expect("it is there"), Peer::Linux);
        let refused = Peer::named("windows").expect_err("it is not there").to_string();
        assert_eq!(refused, "unknown --peer 'windows': there is linux");
    }

    #[test]
    fn a_peer_wants_some_memory() {
        assert!(Peer::Linux.check_memory(128).is_ok());
        let refused = Peer::Linux.check_memory(127).expect_err("too small").to_string();
        assert_eq!(refused, "--memory 127: --peer linux needs at least 128 MiB");
    }
}
