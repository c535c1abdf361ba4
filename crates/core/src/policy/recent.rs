//! A map that knows what was unused for longest. Two trees and no hash: what leaves is decided by
//! use alone.

use std::collections::BTreeMap;

/// Values by key, and the order in which they were last used.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    values: BTreeMap<K, (u64, V)>,
    /// Keys by their last use.
    uses: BTreeMap<u64, K>,
    last_use: u64,
}

// === impl Recent ===

impl<K: Ord + Clone, V> Recent<K, V> {
    pub(super) fn new() -> Self {
        Self { values: BTreeMap::new(), uses: BTreeMap::new(), last_use: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The value of `key`, without using it.
    pub(super) fn peek(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    /// The value of `key`, to be changed without using it.
    pub(super) fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(key).map(|(_, value)| value)
    }

    /// The value of `key`, which is used thereby.
    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        let (last, value) = self.values.get_mut(key)?;
        let key = self.uses.remove(last).expect("each value has its last use");
        self.last_use += 1;
        *last = self.last_use;
        self.uses.insert(*last, key);
        Some(value)
    }

    /// Puts `value` in the place of the one `key` had, and returns that.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.remove(&key);
        self.last_use += 1;
        self.uses.insert(self.last_use, key.clone());
        self.values.insert(key, (self.last_use, value));
        before
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let (last, value) = self.values.remove(key)?;
        self.uses.remove(&last);
        Some(value)
    }

    /// Removes, of those that `may_go`, what was unused for longest.
    pub(super) fn evict(&mut self, may_go: impl Fn(&V) -> bool) -> Option<V> {
        let goes = |key: &&K| self.peek(key).is_some_and(&may_go);
        let key = self.uses.values().find(goes)?.clone();
        self.remove(&key)
    }

    /// All of them, by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.values.iter().map(|(key, (_, value))| (key, value))
    }
}
