//! When the next request is given up, at next to no cost for those that are answered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use squall_core::time::Nanos;

/// One moment for each connection at most: its request's deadline, or that of an earlier request. A connection
/// that has moved on when its moment comes is watched again for the deadline it has by then.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BinaryHeap<Reverse<(Nanos, usize)>>);

impl Deadlines {
    pub(super) fn watch(&mut self, index: usize, deadline: Nanos) {
        self.0.push(Reverse((deadline, index)));
    }

    /// The first moment.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// A connection whose moment has passed, and is watched no more.
    pub(super) fn passed(&mut self, now: Nanos) -> Option<usize> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop().map(|Reverse((_, index))| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_pass_in_their_order_and_not_before() {
        let mut deadlines = Deadlines::default();
        for (index, at) in [(7, 30), (8, 10), (9, 20)] {
            deadlines.watch(index, at);
        }
        assert_eq!(deadlines.passed(9), None);
        assert_eq!(deadlines.next(), Some(10));
        let passed: Vec<usize> = std::iter::from_fn(|| deadlines.passed(20)).collect();
        assert_eq!(passed, [8, 9]);
        assert_eq!(deadlines.next(), Some(30));
    }
}
