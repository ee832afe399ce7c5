//! Problems as workflow commands of GitHub Actions: `::error file=a.yaml,line=3,...::message`. The runner makes an annotation
//! of each, at that line of the pull request. What is escaped, and how, is that of the runner's own toolkit: `%`, line feed and
//! carriage return everywhere, `:` and `,` in properties too, or a message could begin another command.

use super::{Diagnostic, Diagnostics};
use crate::source::Sources;

pub(super) fn render(all: &Diagnostics) -> String {
    let mut out: String = all.problems.iter().map(|problem| command(problem, &all.sources)).collect();
    if all.left_out > 0 {
        out.push_str(&format!("::error::and {} more\n", all.left_out));
    }
    out
}

fn command(problem: &Diagnostic, sources: &Sources) -> String {
    let ((line, column), (end_line, end_column)) = (sources.position(problem.span), sources.end_position(problem.span));
    let mut properties = vec![
        ("file", sources.get(problem.span.file).name.clone()),
        ("line", line.to_string()),
        ("endLine", end_line.to_string()),
        ("col", column.to_string()),
    ];
    // Over several lines columns have no meaning there.
    if line == end_line {
        properties.push(("endColumn", end_column.max(column).to_string()));
    }
    properties.push(("title", format!("{} {}", problem.code.id(), problem.code.label())));
    let properties: Vec<String> = properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
    format!(
        "::{} {}::{}\n",
        problem.severity.word(),
        properties.join(","),
        data(&format!("{}\nhelp: {}", problem.message, problem.help))
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn no_text_can_begin_a_command_of_its_own_or_another_property() {
        assert_eq!(data("5%\r\n::error::x"), "5%25%0D%0A::error::x");
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
    }
}
