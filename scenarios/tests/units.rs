//! Units: what is printed reads back as the same value, and mistakes are answered with what was probably meant.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use brunt_scenario::units::{
    Bandwidth, CountOrShare, Factor, Rate, Share, Size, Spread, UnitError, parse_duration, print_duration,
};
use proptest::prelude::*;

fn reads_back<T: Display + FromStr<Err = UnitError> + PartialEq + std::fmt::Debug>(
    value: T,
) -> Result<(), TestCaseError> {
    let printed = value.to_string();
    let read: T = printed.parse().map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
    prop_assert_eq!(read.to_string(), printed);
    Ok(())
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..30_u64 * 86_400 * 1_000_000_000).prop_map(Duration::from_nanos)
}

proptest! {
    #[test]
    fn durations_read_back_exactly(value in duration()) {
        prop_assert_eq!(parse_duration(&print_duration(value)), Ok(value));
    }

    #[test]
    fn sizes_and_bandwidths_read_back_exactly(value in 0..(1_u64 << 53)) {
        prop_assert_eq!(Size(value).to_string().parse(), Ok(Size(value)));
        prop_assert_eq!(Bandwidth(value).to_string().parse(), Ok(Bandwidth(value)));
    }

    #[test]
    fn shares_rates_and_factors_read_back(thousandths in 0_u32..10_000_000) {
        let value = f64::from(thousandths) / 1000.0;
        prop_assert_eq!(Rate(value).to_string().parse(), Ok(Rate(value)));
        prop_assert_eq!(Factor(value).to_string().parse(), Ok(Factor(value)));
        reads_back(Share(value / 100_000.0))?;
    }

    #[test]
    fn counts_read_back(count in 0_usize..1000) {
        prop_assert_eq!(CountOrShare::Count(count).to_string().parse(), Ok(CountOrShare::Count(count)));
    }

    #[test]
    fn spreads_read_back(from in duration(), length in duration()) {
        for spread in [
            Spread::Constant(from),
            Spread::Uniform(from, from + length),
            Spread::Exponential(from),
            Spread::Normal(from, length),
        ] {
            prop_assert_eq!(spread.to_string().parse(), Ok(spread));
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,30}|[0-9.]{0,12}[a-z%/]{0,4}") {
        let _ = parse_duration(&text);
        let _ = text.parse::<Share>();
        let _ = text.parse::<Rate>();
        let _ = text.parse::<Factor>();
        let _ = text.parse::<Size>();
        let _ = text.parse::<Bandwidth>();
        let _ = text.parse::<CountOrShare>();
        let _ = text.parse::<Spread>();
    }
}

#[test]
fn the_examples_of_the_language_are_read() {
    let ms = Duration::from_millis;
    assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
    assert_eq!(parse_duration("1m30s"), Ok(ms(90_000)));
    assert_eq!(parse_duration("1.5h"), Ok(ms(5_400_000)));
    assert_eq!("0.1%".parse::<Share>().map(|share| share.0), Ok(0.001));
    assert_eq!("30/m".parse(), Ok(Rate(0.5)));
    assert_eq!("64KiB".parse(), Ok(Size(65_536)));
    assert_eq!("10mbit".parse(), Ok(Bandwidth(10_000_000)));
    assert_eq!("1.25x".parse(), Ok(Factor(1.25)));
    assert_eq!("one".parse(), Ok(CountOrShare::Count(1)));
    assert_eq!("all".parse(), Ok(CountOrShare::All));
    assert_eq!("1s..3s".parse(), Ok(Spread::Uniform(ms(1000), ms(3000))));
    assert_eq!("normal(2s, 500ms)".parse(), Ok(Spread::Normal(ms(2000), ms(500))));
    assert_eq!("50%".parse::<CountOrShare>().map(|share| share.of(3)), Ok(2), "a share rounds up");
}

#[test]
fn durations_print_as_people_write_them() {
    let printed: Vec<String> = [0, 250_000, 1_500_000_000, 90_000_000_000, 86_400_000_000_000, 3_600_000_000_001]
        .map(|nanos| print_duration(Duration::from_nanos(nanos)))
        .to_vec();
    assert_eq!(printed, ["0s", "250us", "1.5s", "1m30s", "1d", "1h1ns"]);
}

#[test]
fn a_mistake_is_answered_with_what_was_meant() {
    fn help<T: FromStr<Err = UnitError>>(text: &str) -> String {
        text.parse::<T>().err().map(|error| error.help).unwrap_or_default()
    }
    let duration = |text: &str| parse_duration(text).expect_err("no duration").help;
    assert_eq!(duration("30"), "30s or 30ms?");
    assert_eq!(duration("1:30"), "1m30s?");
    assert_eq!(duration("5min"), "5m?");
    assert_eq!(help::<Share>("0.05"), "5%? (or `0.05%`)");
    assert_eq!(help::<Share>("5"), "5%?");
    assert_eq!(help::<Rate>("200"), "200/s?");
    assert_eq!(help::<Size>("10M"), "10MiB or 10MB?");
    assert_eq!(help::<Factor>("3"), "3x?");
    assert_eq!(help::<CountOrShare>("0.5"), "50%?");
    assert_eq!(help::<Spread>("3s..1s"), "1s..3s?");
}
