//! Places for connections, each with a key that no later one in the same place has.

/// The generation's bits lie above the place's. The two highest stay free.
const SHIFT: u32 = 32;
const GENERATIONS: u32 = (1 << 30) - 1;

/// Things in numbered places.
pub(super) struct Slots<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        let (slots, free) = (Vec::new(), Vec::new());
        Self { slots, free }
    }
}

impl<T> Slots<T> {
    /// Keeps a thing and returns its key.
    pub(super) fn put(&mut self, thing: T) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            self.slots.len() - 1
        });
        let slot = &mut self.slots[index];
        slot.1 = Some(thing);
        key(slot.0, index)
    }

    /// The thing with this key, if it is still there.
    pub(super) fn get(&mut self, wanted: u64) -> Option<&mut T> {
        let index = (wanted & u64::from(u32::MAX)) as usize;
        let (generation, thing) = self.slots.get_mut(index)?;
        thing.as_mut().filter(|_| key(*generation, index) == wanted)
    }

    /// Gives the thing with this key away. Its key is never used again.
    pub(super) fn take(&mut self, wanted: u64) -> Option<T> {
        self.get(wanted)?;
        let index = (wanted & u64::from(u32::MAX)) as usize;
        let (generation, thing) = self.slots.get_mut(index)?;
        *generation = (*generation + 1) & GENERATIONS;
        self.free.push(index);
        thing.take()
    }

    /// The keys of all things for which `holds`.
    pub(super) fn keys(&self, holds: impl Fn(&T) -> bool) -> impl Iterator<Item = u64> {
        let all = self.slots.iter().enumerate();
        let there = all.filter(move |(_, (_, thing))| thing.as_ref().is_some_and(&holds));
        there.map(|(index, (generation, _))| key(*generation, index))
    }
}

fn key(generation: u32, index: usize) -> u64 {
    u64::from(generation) << SHIFT | index as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_used_again_although_its_place_is() {
        let mut slots = Slots::default();
        let first = slots.put('a');
        assert_eq!(slots.take(first), Some('a'));
        let second = slots.put('b');
        assert_ne!(first, second);
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.take(first), None);
        assert_eq!(slots.get(second), Some(&mut 'b'));
        assert_eq!(slots.keys(|_| true).collect::<Vec<_>>(), [second]);
    }
}
