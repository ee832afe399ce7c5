//! Limits that hang on the baseline window: `{baseline: 3x, floor: 150ms}`.

use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::Gate;

use super::Demand;
use crate::measured::Measured;
use crate::metric::measure;
use crate::render::format;
use crate::results::rounded_seconds;

/// The limit from the baseline's value of the same metric and scope. `pick` chooses between it and the floor, `word` says
/// which way the floor works. The error says why the baseline has no value to go by: then there is no limit, floor or not.
pub fn demand(
    measured: &Measured,
    gate: &Gate,
    factor: f64,
    floor: Option<f64>,
    pick: fn(f64, f64) -> f64,
    word: &str,
) -> Result<Demand, String> {
    let value = measure(measured, gate.metric, &gate.scope, &WindowName::Baseline)
        .ok_or_else(|| "there was no baseline to compare with".to_owned())?;
    let Some(base) = value.value.filter(|_| value.enough) else {
        return Err(format!("the baseline has {}, too few to compare with", format::counted(value.samples, "sample")));
    };
    let unit = gate.metric.unit().word();
    let scaled = rounded_seconds(base * factor);
    let mut origin = format!("{} x baseline {}", format::number(factor), format::value(base, unit));
    let limit = match floor {
        Some(floor) => {
            origin = format!("{origin}, {word} {}", format::value(floor, unit));
            pick(scaled, floor)
        }
        None => scaled,
    };
    Ok(Demand { limit, origin })
}
