//! What is read into, and held: large buffers are used again, and all that is held is counted.
//!
//! One that goes back to the allocator comes with a page fault for every 4 KiB when it is next wanted, which costs as
//! much as copying its bytes does.

/// What is read at once, of whatever connection.
const SIZE: usize = 64 << 10;
/// So many are kept for later.
const SPARE: usize = 64;

/// What all lines together hold, in memory, before they read less: as much as eight of them alone may.
pub(super) const BUDGET: usize = 256 << 20;
/// What a line that holds nothing reads even then. It would never go on otherwise.
pub(super) const SCANT: usize = 16 << 10;

/// The buffer that is read into, those that wait for their turn, and how much is held.
pub(super) struct Buffers {
    scratch: Vec<u8>,
    spare: Vec<Vec<u8>>,
    /// What all lines hold, in memory.
    held: usize,
    budget: usize,
}

impl Buffers {
    pub(super) fn new(budget: usize) -> Self {
        let (scratch, spare) = (vec![0; SIZE], Vec::new());
        Self {
            scratch,
            spare,
            held: 0,
            budget,
        }
    }

    /// A line holds so much more.
    pub(super) fn hold(&mut self, cost: usize) {
        self.held += cost;
    }

    /// A line holds so much less.
    pub(super) fn release(&mut self, cost: usize) {
        self.held -= cost;
    }

    /// What all lines hold.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether lines may hold more than they do and `more`.
    pub(super) fn have_room(&self, more: usize) -> bool {
        self.held + more < self.budget
    }

    /// Where to read to. The next read overwrites it.
    pub(super) fn scratch(&mut self) -> &mut [u8] {
        &mut self.scratch
    }

    /// The first `count` bytes of what was read, to be held.
    pub(super) fn keep(&mut self, count: usize) -> Vec<u8> {
        // Few bytes are copied: held in a large buffer they would take its room.
        if count < SIZE / 2 {
            return self.scratch[..count].to_vec();
        }
        let next = self.spare.pop().unwrap_or_else(|| vec![0; SIZE]);
        let mut kept = std::mem::replace(&mut self.scratch, next);
        kept.truncate(count);
        kept
    }

    /// Takes back what is held no longer.
    pub(super) fn give_back(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() == SIZE && self.spare.len() < SPARE {
            bytes.resize(SIZE, 0);
            self.spare.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_read_and_is_not_read_over() {
        let mut buffers = Buffers::new(BUDGET);
        for count in [1, SIZE / 2 - 1, SIZE / 2, SIZE] {
            buffers.scratch().fill(7);
            let kept = buffers.keep(count);
            buffers.scratch().fill(8);
            assert_eq!(kept, vec![7; count]);
            buffers.give_back(kept);
            assert_eq!(buffers.scratch().len(), SIZE);
        }
    }

    #[test]
    fn only_large_ones_are_used_again_and_no_more_than_so_many() {
        let mut buffers = Buffers::new(BUDGET);
        buffers.give_back(vec![0; 10]);
        assert!(buffers.spare.is_empty());
        (0..2 * SPARE).for_each(|_| buffers.give_back(vec![0; SIZE]));
        assert_eq!(buffers.spare.len(), SPARE);
        let kept = buffers.keep(SIZE);
        assert_eq!(buffers.spare.len(), SPARE - 1);
        buffers.give_back(kept);
        assert_eq!(buffers.spare.len(), SPARE);
    }
}
