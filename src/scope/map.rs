//! A map whose copies share what they have in common.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A map from names to values.
///
/// Each message of a connection may change the scope of the connection, and begins with a copy of
/// it. So a copy is cheap however many entries there are, and so is a change to a copy: entries are
/// kept in layers, the newest last, each at least twice as large as the next. A change to a layer
/// that other copies share makes a new layer of one entry, and layers of like sizes become one.
#[derive(Clone, Debug)]
pub(crate) struct Map<V> {
    // `None` for a name that was removed.
    layers: Vec<Arc<Layer<V>>>,
}

type Name = Cow<'static, str>;
type Layer<V> = BTreeMap<Name, Option<V>>;

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self { layers: Vec::new() }
    }
}

impl<V: Clone + PartialEq> Map<V> {
    pub(super) fn insert(&mut self, name: Name, value: V) {
        self.set(name, Some(value));
    }

    pub(super) fn remove(&mut self, name: &str) {
        if self.get(name).is_some() {
            self.set(name.to_owned().into(), None);
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&V> {
        let mut layers = self.layers.iter().rev();
        layers.find_map(|layer| layer.get(name))?.as_ref()
    }

    /// All entries, ordered by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, &V)> {
        let mut newest = BTreeMap::new();
        for layer in &self.layers {
            newest.extend(layer.iter().map(|(name, value)| (name, value.as_ref())));
        }
        let entries = newest.into_iter();
        entries.filter_map(|(name, value)| Some((name, value?)))
    }

    /// Takes over what another has changed since `before`, except for what was changed here too.
    pub(super) fn merge(&mut self, before: &Self, other: &Self) {
        let names: Vec<_> = before.iter().chain(other.iter()).map(|it| it.0).collect();
        for name in names {
            if self.get(name) == before.get(name) {
                match other.get(name) {
                    Some(value) => self.insert(name.clone(), value.clone()),
                    None => self.remove(name),
                }
            }
        }
    }

    fn set(&mut self, name: Name, value: Option<V>) {
        match self.layers.last_mut().and_then(Arc::get_mut) {
            Some(own) => drop(own.insert(name, value)),
            None => self.layers.push(Arc::new(Layer::from([(name, value)]))),
        }
        while let [.., older, newer] = self.layers.as_slice()
            && newer.len() * 2 >= older.len()
        {
            self.join_newest();
        }
    }

    /// Makes one layer of the two newest.
    fn join_newest(&mut self) {
        let Some(newer) = self.layers.pop() else {
            return;
        };
        let is_oldest = self.layers.len() == 1;
        let Some(older) = self.layers.last_mut().map(Arc::make_mut) else {
            return;
        };
        older.extend(Arc::unwrap_or_clone(newer));
        if is_oldest {
            // There is nothing below that would show.
            older.retain(|_, value| value.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn copies_are_as_independent_as_those_of_any_map(
            steps in prop::collection::vec((0..4_u8, 0..20_u8, any::<u8>(), 0..6_usize), 0..300),
        ) {
            let mut maps = vec![(Map::default(), BTreeMap::new())];
            for (step, name, value, which) in steps {
                let place = which % maps.len();
                let name = name.to_string();
                let (map, model) = &mut maps[place];
                match step {
                    0 => {
                        map.remove(&name);
                        model.remove(&name);
                    }
                    1 => {
                        let copy = (map.clone(), model.clone());
                        maps.truncate(5);
                        maps.push(copy);
                    }
                    _ => {
                        map.insert(name.clone().into(), value);
                        model.insert(name, value);
                    }
                }
                for (map, model) in &maps {
                    let entries = map.iter().map(|(name, value)| (name.to_string(), *value));
                    prop_assert!(entries.eq(model.clone()));
                }
            }
        }
    }

    #[test]
    fn a_copy_that_is_changed_each_time_copies_little() {
        let mut map = Map::default();
        for name in 0..10_000_u32 {
            let copy = map.clone();
            map.insert(name.to_string().into(), name);
            assert!(map.layers.len() <= 15, "{}", map.layers.len());
            drop(copy);
        }
        assert_eq!(map.iter().count(), 10_000);
    }
}
