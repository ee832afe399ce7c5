//! The cells of a matrix: how long each takes and what it sends. They share timeline and victims, so the first one in full
//! says the rest.

use brunt_report::render::format;
use brunt_scenario::plan::Plan;

use super::look::Look;
use super::times::{Between, Schedule};
use super::{Page, load};
use crate::load::estimate::Estimate;

/// Writes the overview of several cells of one scenario.
pub fn describe(cells: &[Look<'_>]) -> String {
    let first = cells[0].plan;
    let mut page = Page::default();
    let count = format::counted(cells.len() as u64, "cell");
    page.line(&format!("{} · {count} · seed {} in each · {}", first.name, first.seed, first.source));
    let schedules: Vec<Schedule> = cells.iter().map(|cell| Schedule::of(cell.plan)).collect();
    let ends = schedules.iter().map(|schedule| schedule.end);
    let all = ends.fold(Between::default(), |sum, end| sum.widened(end.earliest, end.latest));
    page.line(&format!("one after the other, {} altogether, services up and down not counted", all.text()));
    let rows: Vec<Vec<String>> = cells
        .iter()
        .zip(&schedules)
        .map(|(cell, of)| vec![cell.plan.cell.to_string(), of.end.text(), requests(cell.plan, of), trouble(cell)])
        .collect();
    page.section("cells, each a run with a folder of its own", &rows);
    page.line("");
    page.line(&format!("The first one in full; another one: --only-cell '{}'", cells[cells.len() - 1].plan.cell));
    page.line("");
    page.text
}

fn requests(cell: &Plan, schedule: &Schedule) -> String {
    let sum = |all: Vec<Estimate>| all.iter().map(|load| load.requests).sum::<Option<u64>>();
    let (sooner, later) = load::sooner_and_later(cell, schedule);
    match (sum(sooner), sum(later)) {
        (Some(one), Some(other)) if one == other => format::counted(one, "request"),
        (Some(one), Some(other)) => {
            let (least, most) = (one.min(other), one.max(other));
            format!("{} to {}", format::count(least), format::counted(most, "request"))
        }
        _ => "as many requests as the replies allow".to_owned(),
    }
}

fn trouble(cell: &Look<'_>) -> String {
    let mut trouble = Vec::new();
    if !cell.plan.not_built.is_empty() {
        trouble.push("asks for what is not built");
    }
    if !cell.finds_all() {
        trouble.push("a fault has nobody to hit");
    }
    trouble.join("; ")
}
