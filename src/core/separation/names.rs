//! Where things are by their names: one look, where a tree of the names would be several, each of them a cache miss.

/// Numbers by hash. Open addressing; whoever asks says whether a number found is the one that is meant.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Of a length that is a power of two, at most half of it used.
    table: Vec<Place>,
    used: usize,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Free,
    Taken {
        hash: u32,
        slot: u32,
    },
    /// Was taken: the search goes on behind it.
    Left,
}

impl Names {
    /// The number of a name.
    pub fn find(&self, name: &str, mut is_named_so: impl FnMut(u32) -> bool) -> Option<u32> {
        let wanted = hash(name);
        self.way(wanted).find_map(|(_, place)| match place {
            Place::Taken { hash, slot } if hash == wanted && is_named_so(slot) => Some(Some(slot)),
            Place::Taken { .. } | Place::Left => None,
            Place::Free => Some(None),
        })?
    }

    /// Gives a number to a name that has none.
    pub fn insert(&mut self, name: &str, slot: u32) {
        if (self.used + 1) * 2 > self.table.len() {
            self.grow();
        }
        self.put(hash(name), slot);
    }

    /// Takes a number from its name.
    pub fn remove(&mut self, name: &str, slot: u32) {
        let index = self.way(hash(name)).find(|(_, place)| matches!(place, Place::Taken { slot: s, .. } if *s == slot));
        if let Some(place) = index.and_then(|(index, _)| self.table.get_mut(index)) {
            *place = Place::Left;
        }
    }

    fn grow(&mut self) {
        let taken = |place: &Place| if let Place::Taken { hash, slot } = place { Some((*hash, *slot)) } else { None };
        let all: Vec<(u32, u32)> = self.table.iter().filter_map(taken).collect();
        self.table = vec![Place::Free; ((all.len() + 1) * 4).next_power_of_two()];
        self.used = 0;
        all.into_iter().for_each(|(hash, slot)| self.put(hash, slot));
    }

    fn put(&mut self, hash: u32, slot: u32) {
        let free = self.way(hash).find(|(_, place)| matches!(place, Place::Free));
        if let Some(place) = free.and_then(|(index, _)| self.table.get_mut(index)) {
            *place = Place::Taken { hash, slot };
            self.used += 1;
        }
    }

    /// All places, beginning with that of a hash.
    fn way(&self, hash: u32) -> impl Iterator<Item = (usize, Place)> {
        let mask = self.table.len().wrapping_sub(1);
        let indices = (0..self.table.len()).map(move |step| (hash as usize).wrapping_add(step) & mask);
        indices.filter_map(|index| Some((index, *self.table.get(index)?)))
    }
}

/// FNV-1a, folded.
fn hash(name: &str) -> u32 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_tree_finds(steps in prop::collection::vec((any::<bool>(), 0..40_u32), 0..400)) {
            let (mut names, mut tree) = (Names::default(), BTreeMap::new());
            let mut given: Vec<String> = Vec::new();
            for (comes, n) in steps {
                let name = format!("R-{n:03}");
                match (comes, tree.get(&name).copied()) {
                    (true, None) => {
                        names.insert(&name, given.len() as u32);
                        tree.insert(name.clone(), given.len() as u32);
                        given.push(name);
                    }
                    (false, Some(slot)) => {
                        names.remove(&name, slot);
                        tree.remove(&name);
                    }
                    (true, Some(_)) | (false, None) => {}
                }
                for n in 0..40 {
                    let name = format!("R-{n:03}");
                    prop_assert_eq!(names.find(&name, |slot| given[slot as usize] == name), tree.get(&name).copied());
                }
            }
        }
    }
}
