//! A map that forgets its oldest entry when it is full, so that a service of the shop can be loaded for days.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// At most `capacity` entries; the oldest makes room.
#[derive(Debug)]
pub struct Recent<Key, Value> {
    capacity: usize,
    entries: HashMap<Key, Value>,
    order: VecDeque<Key>,
}

impl<Key: Clone + Eq + Hash, Value> Recent<Key, Value> {
    /// An empty map; room is taken as it fills.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new(), order: VecDeque::new() }
    }

    /// The entry of this key.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.entries.get(key)
    }

    /// The entry of this key, to be changed.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Value> {
        self.entries.get_mut(key)
    }

    /// Adds or replaces an entry; a replaced one keeps its age.
    pub fn insert(&mut self, key: Key, value: Value) {
        if self.entries.insert(key.clone(), value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn a_full_map_forgets_the_oldest_entry_only() {
        let mut recent = Recent::with_capacity(2);
        recent.insert("a", 1);
        recent.insert("b", 2);
        recent.insert("a", 3);
        recent.insert("c", 4);
        assert_eq!(recent.get(&"a"), None);
        assert_eq!(recent.get(&"b"), Some(&2));
        assert_eq!(recent.get(&"c"), Some(&4));
        assert_eq!(recent.order.len(), 2);
    }
}
