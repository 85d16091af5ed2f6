//! A map that forgets: what was not asked for lately goes when there is too much.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations of at most half of the bound each. The older one goes whole when the younger one is full.
pub(super) struct Bounded<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash + Clone, V: Clone> Bounded<K, V> {
    pub(super) fn of(bound: usize) -> Self {
        Self { half: bound.div_ceil(2), young: HashMap::new(), old: HashMap::new() }
    }

    /// What is asked for stays.
    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(found) = self.young.get(key) {
            return Some(found.clone());
        }
        let found = self.old.remove(key)?;
        self.insert(key.clone(), found.clone());
        Some(found)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.young.retain(|_, value| keep(value));
        self.old.retain(|_, value| keep(value));
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut map = Bounded::of(10);
        map.insert(0, 'a');
        for n in 1..100 {
            map.insert(n, 'b');
            assert_eq!(map.get(&0), Some('a'), "after {n}");
            assert!(map.young.len() + map.old.len() <= 10);
        }
        assert_eq!(map.get(&50), None);
        map.remove(&0);
        assert_eq!(map.get(&0), None);
    }
}
