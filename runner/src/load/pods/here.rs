//! What a worker measured in terms of this side: instants of the run's clock, addresses by the numbers that they have here.

use brunt_report::sample::Batch;
use brunt_scenario::units::Offset;

use crate::load::destinations::{Destinations, Place};

/// The indices here of what a worker's indices of a destination stand for.
pub fn places(destinations: &Destinations, at: usize, places: &[Place]) -> Vec<u16> {
    let Some(destination) = destinations.list().get(at) else { return Vec::new() };
    places.iter().map(|place| destination.learn(place).unwrap_or(u16::MAX)).collect()
}

/// Which of these each request went to: the samples of a worker have its own numbers.
pub fn name_instances(batch: &mut Batch, goes_to: &[usize], places: &[Vec<u16>]) {
    for request in &mut batch.requests {
        let places = goes_to.get(usize::from(request.series)).and_then(|to| places.get(*to));
        let place = places.and_then(|places| places.get(usize::from(request.instance)));
        request.instance = place.copied().unwrap_or(u16::MAX);
    }
}

/// Moves every instant of a batch by so much: from the worker's clock onto the run's.
pub fn move_by(batch: &mut Batch, by_ns: i64) {
    let moved = |at: &mut Offset| at.0 = at.0.saturating_add_signed(by_ns);
    moved(&mut batch.upto);
    for request in &mut batch.requests {
        moved(&mut request.intended);
        request.sent.iter_mut().for_each(moved);
        request.first_byte.iter_mut().for_each(moved);
        moved(&mut request.done);
    }
    batch.repeats.iter_mut().for_each(|repeat| moved(&mut repeat.at));
    for iteration in &mut batch.iterations {
        moved(&mut iteration.intended);
        moved(&mut iteration.done);
    }
    batch.arrivals.iter_mut().for_each(|arrival| moved(&mut arrival.intended));
    batch.open.iter_mut().for_each(|open| moved(&mut open.intended));
    batch.examples.iter_mut().for_each(|example| moved(&mut example.at));
}

#[cfg(test)]
mod tests {
    use brunt_report::sample::Arrival;

    use super::*;

    #[test]
    fn instants_of_a_clock_that_is_ahead_become_those_of_the_run() {
        let arrival =
            |at| Arrival { load: 0, journey: 0, dropped: false, warmup: false, intended: Offset(at), lag_ns: 7 };
        let mut batch = Batch { upto: Offset(5_000), arrivals: vec![arrival(1_000), arrival(20)], ..Batch::default() };
        move_by(&mut batch, -30);
        assert_eq!((batch.upto, batch.arrivals), (Offset(4_970), vec![arrival(970), arrival(0)]));
    }
}
