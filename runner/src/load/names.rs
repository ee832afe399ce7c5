//! Who answers, where a balancer hides it and the reply tells (`instance_header`): names and their places in the samples.
//!
//! Places are the destination's, for all workers; each worker remembers those that it has met, so that nothing is locked for a
//! name that was met before.

use std::collections::HashMap;

use super::destinations::Destination;

/// So many names of a destination have a place. A header that differs from reply to reply names nobody, and must not fill the
/// memory.
pub const MOST: usize = 1000;
/// Longer than any name of a pod.
const LONGEST: usize = 253;

/// Those that one worker has met.
#[derive(Debug, Default)]
pub struct Names {
    /// By destination.
    met: Vec<HashMap<Box<[u8]>, u16>>,
}

impl Names {
    /// The place of whoever is named so; `None` for what is no name, and beyond [`MOST`].
    pub fn place(&mut self, at: usize, name: &[u8], destination: &Destination) -> Option<u16> {
        if self.met.len() <= at {
            self.met.resize_with(at + 1, HashMap::new);
        }
        let met = &mut self.met[at];
        if let Some(place) = met.get(name) {
            return Some(*place);
        }
        let text = std::str::from_utf8(name).ok()?.trim();
        if text.is_empty() || text.len() > LONGEST || met.len() >= MOST {
            return None;
        }
        let place = destination.learn_name(text)?;
        met.insert(name.into(), place);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::destinations::from_instances;
    use super::*;

    #[test]
    fn a_name_keeps_its_place_and_a_header_that_always_differs_fills_nothing() {
        let shop = from_instances("shop", &["http://127.0.0.1:4001".into()]).unwrap();
        let mut names = Names::default();
        let first = names.place(0, b"payments-1", &shop);
        assert_eq!((first, names.place(0, b"payments-2", &shop)), (Some(1), Some(2)), "after the address itself");
        assert_eq!(Names::default().place(0, b"payments-1", &shop), first, "another worker has the same places");
        assert_eq!((names.place(0, b" ", &shop), names.place(0, &[0xff], &shop)), (None, None));
        let placed = (0..2 * MOST).filter_map(|number| names.place(0, number.to_string().as_bytes(), &shop)).count();
        assert_eq!(placed, MOST - 2);
    }
}
