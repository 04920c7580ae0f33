//! Attacks on tables.

use serde::Serialize;

use super::{Name, Sentence};

/// What came of an attack on tables under one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct Attack {
    /// What ran below.
    pub path: Name,
    /// How entries were reached.
    pub method: Name,
    /// What the stub below checked, [`NO_RULES`] without one.
    pub rules: Name,
    /// Which attack.
    pub attack: Name,
    /// Whether it came to nothing, as was seen; `None` where it was not tried.
    pub stopped: Option<bool>,
    /// What stopped it, by which way it came through, or why it was not tried.
    pub by: Sentence,
}

/// [`Attack::rules`] where no stub is below.
pub const NO_RULES: &str = "none";
