//! From values to pixels, and the ticks that a person expects.

use crate::render::format;

/// A scale from values to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    start_px: f64,
    end_px: f64,
    log: bool,
}

impl Scale {
    /// Equal distances for equal differences. A range without extent gets one.
    pub fn linear(from: f64, to: f64, start_px: f64, end_px: f64) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self { from, to, start_px, end_px, log: false }
    }

    /// Equal distances for equal ratios. `from` is made positive, and the range is at least one decade.
    pub fn log(from: f64, to: f64, start_px: f64, end_px: f64) -> Self {
        let from = if from > 0.0 { from } else { 0.01 };
        Self { from, to: to.max(from * 10.0), start_px, end_px, log: true }
    }

    /// The pixel of a value; beyond the range it stays at the edge.
    pub fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.from) / self.from).log10() / (self.to / self.from).log10()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        self.start_px + share.clamp(0.0, 1.0) * (self.end_px - self.start_px)
    }

    /// Whether a value lies within the range.
    pub fn holds(&self, value: f64) -> bool {
        (self.from..=self.to).contains(&value)
    }
}

/// The round ends of a logarithmic axis around these values: whole decades, or 1, 2, 5 steps so that a narrow range is not
/// squeezed into a corner. At least one decade.
pub fn log_range(low: f64, high: f64) -> (f64, f64) {
    let low = if low > 0.0 && low.is_finite() { low } else { 1.0 };
    let high = if high.is_finite() { high.max(low) } else { low };
    let (mut from, mut to) = (round_down(low), round_up(high));
    if to / from < 10.0 {
        from = 10_f64.powf(from.log10().floor());
        to = to.max(from * 10.0);
    }
    (from, to)
}

fn round_down(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * decade).find(|&step| step <= value).unwrap_or(decade)
}

fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade).find(|&step| step >= value).unwrap_or(decade * 10.0)
}

/// Powers of ten within a range.
pub fn decades(from: f64, to: f64) -> Vec<f64> {
    let first = (from.log10() - 1e-9).ceil() as i32;
    let last = (to.log10() + 1e-9).floor() as i32;
    (first..=last).map(|power| 10_f64.powi(power)).collect()
}

/// The top of an axis that starts at zero, and the distance of its ticks: at most `most` of them.
pub fn from_zero(high: f64, most: usize) -> (f64, f64) {
    if !high.is_finite() || high <= 0.0 {
        return (1.0, 1.0);
    }
    let rough = high / most.max(1) as f64;
    let decade = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade).find(|&step| step >= rough).unwrap_or(rough);
    ((high / step).ceil() * step, step)
}

/// Ticks of a time axis from 0 to `end_s`: at most `most`, at distances that clocks know.
pub fn time_ticks(end_s: f64, most: usize) -> Vec<f64> {
    const STEPS: [f64; 20] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
        14_400.0, 43_200.0, 86_400.0,
    ];
    let rough = end_s / most.max(1) as f64;
    let step = STEPS.into_iter().find(|&step| step >= rough).unwrap_or(rough);
    let last = (end_s / step + 1e-9).floor() as u32;
    (0..=last).map(|index| f64::from(index) * step).collect()
}

/// The label of an instant on an axis that ends at `end_s`: `12 s` while everything is within two minutes, then `3:20` and
/// `1:05:00`.
pub fn clock(at_s: f64, end_s: f64) -> String {
    if end_s <= 120.0 {
        return if at_s == 0.0 { "0".to_owned() } else { format!("{} s", format::number(at_s)) };
    }
    let whole = at_s.round().max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole % 3600 / 60, whole % 60);
    if end_s < 3600.0 { format!("{minutes}:{seconds:02}") } else { format!("{hours}:{minutes:02}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_stays_inside_its_pixels() {
        let scale = Scale::log(1.0, 1000.0, 100.0, 0.0);
        assert_eq!([0.0, 1.0, 1e9].map(|value| scale.at(value)), [100.0, 100.0, 0.0]);
        assert!((scale.at(31.622_776) - 50.0).abs() < 0.01);
        assert_eq!(Scale::linear(0.0, 0.0, 0.0, 10.0).at(0.0), 0.0);
    }

    #[test]
    fn log_axes_end_at_round_values_and_span_a_decade() {
        assert_eq!(log_range(0.7, 454.0), (0.5, 500.0));
        assert_eq!(log_range(3.0, 4.0), (1.0, 10.0));
        assert_eq!(log_range(0.0, f64::NAN), (1.0, 10.0));
        assert_eq!(decades(0.5, 500.0), [1.0, 10.0, 100.0]);
    }

    #[test]
    fn axes_from_zero_end_above_the_highest_value() {
        assert_eq!(from_zero(412.0, 3), (600.0, 200.0));
        assert_eq!(from_zero(0.0, 3), (1.0, 1.0));
    }

    #[test]
    fn time_is_labelled_as_on_a_clock() {
        assert_eq!(time_ticks(25.0, 8), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
        assert_eq!(
            (clock(5.0, 25.0), clock(200.0, 900.0), clock(3900.0, 7200.0)),
            ("5 s".into(), "3:20".into(), "1:05:00".into())
        );
    }
}
