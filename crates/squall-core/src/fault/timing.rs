//! When a fault strikes: keys that every fault has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Dur, DurRange};

/// A state of the system a fault waits for before it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// The target runs a task at this moment.
    TaskRunning,
    /// A create was acknowledged a moment ago.
    WriteAcked,
    /// A lock was acquired from the target and is held at this moment.
    LockHeld,
}

impl Aim {
    /// In words, for reports and for waits that end in vain.
    pub fn words(self) -> &'static str {
        match self {
            Aim::TaskRunning => "a task is running there",
            Aim::WriteAcked => "a write was just acknowledged",
            Aim::LockHeld => "a lock acquired there is held",
        }
    }
}

/// When a fault strikes. The same five keys in every fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timing {
    /// Waits for this state first.
    pub when: Option<Aim>,
    /// The first strike, from the storm's start.
    pub at: Option<DurRange>,
    /// The first strike, from the end of the entry before.
    pub after: Option<Dur>,
    /// Strikes again at such distances.
    pub every: Option<DurRange>,
    /// No strike after this time from the storm's start.
    pub until: Option<Dur>,
    /// At most so many strikes.
    pub times: Option<u32>,
}

/// Adds the keys of [`Timing`] to a fault's own: serde's `flatten` would lose the places of mistakes.
macro_rules! fault {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Waits for this state first.
            #[serde(default)]
            pub when: Option<$crate::fault::Aim>,
            /// The first strike, from the storm's start; a range is drawn from.
            #[serde(default)]
            pub at: Option<$crate::amount::DurRange>,
            /// The first strike, from the end of the entry before.
            #[serde(default)]
            pub after: Option<$crate::amount::Dur>,
            /// Strikes again at such distances; a range is drawn from each time.
            #[serde(default)]
            pub every: Option<$crate::amount::DurRange>,
            /// No strike after this time from the storm's start.
            #[serde(default)]
            pub until: Option<$crate::amount::Dur>,
            /// At most so many strikes.
            #[serde(default)]
            pub times: Option<u32>,
        }

        impl $name {
            /// When it strikes.
            pub fn timing(&self) -> $crate::fault::Timing {
                $crate::fault::Timing {
                    when: self.when,
                    at: self.at.clone(),
                    after: self.after.clone(),
                    every: self.every.clone(),
                    until: self.until.clone(),
                    times: self.times,
                }
            }
        }
    };
}
pub(crate) use fault;
