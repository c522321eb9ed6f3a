//! What clients did with objects: counters and locks.

use serde::{Deserialize, Serialize};

use crate::contract::Object;
use crate::place::Instance;

/// What a request did with an object, and what its answer showed of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// Of what kind the object is.
    pub of: Object,
    /// Which: its name in requests.
    pub name: String,
    /// Whose request it was. A session asks for one thing after the other, and ends with the first whose outcome it does
    /// not learn. Nobody's, where squall looks at an object itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<u64>,
    /// The copy that was asked, where squall knows which.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<Instance>,
    /// What was done.
    pub act: Act,
}

/// What can be done with an object. What an answer showed is `None` where none came, or where the contract says of no
/// place to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// One was added to a counter.
    Add {
        /// The value after it.
        value: Option<i64>,
    },
    /// A counter was read.
    Read {
        /// Its value.
        value: Option<i64>,
    },
    /// A lock was asked for.
    Acquire {
        /// Who wanted it: unique to this hold.
        owner: String,
        /// The fencing token.
        token: Option<i64>,
    },
    /// A lock was given back.
    Release {
        /// By whom.
        owner: String,
    },
    /// Something was appended to what a lock guards.
    Append {
        /// By whom.
        owner: String,
        /// A text unique in the run.
        mark: String,
    },
    /// What a lock guards was read.
    Ledger {
        /// Everything appended, in its order.
        marks: Option<Vec<String>>,
    },
}
