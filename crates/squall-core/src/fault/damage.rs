//! Files that hold something else than was written.

use crate::amount::Dur;
use crate::fault::{Objection, fault};
use crate::place::{Condition, Damage, Harm};

pub(super) const DOES: &str =
    "files one copy keeps in a folder of squall's get flipped bits, lose their end, or hold half a write";
pub(super) const PROOF: &str = "the change, read back from its files, and that the copy was used meanwhile";

fault! {
    /// Changes what one copy has on disk.
    DamageFiles {
        /// The service; it must have a `disk` or be of the preset `postgres`.
        on: String,
        /// Files by their path below that folder, in which `*` stands for any characters.
        files: String,
        /// How: `bit_flip`, `truncate` or `torn_write`.
        how: Harm,
        /// At so many spots; at one when absent.
        #[serde(default)]
        spots: Option<std::num::NonZeroU32>,
        /// Whether the copy is stopped before and started after, so that it must read them again; not when absent.
        #[serde(default)]
        stopped: bool,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl DamageFiles {
    pub(super) fn condition(&self) -> Condition {
        Condition::Damaged(Damage {
            files: self.files.clone(),
            how: self.how,
            spots: self.spots.map_or(1, std::num::NonZeroU32::get),
            stopped: self.stopped,
        })
    }

    pub(super) fn objection(&self) -> Option<Objection> {
        let parts = || self.files.split('/');
        let outside = self.files.is_empty() || self.files.starts_with('/') || parts().any(|part| part == "..");
        outside.then_some((
            "/files",
            "nothing outside the copy's own folder is damaged",
            "write a path below it, such as base/*/1259",
        ))
    }
}
