//! Lines that are wider than the terminal go on below their last column. Whoever reads them from a pipe gets them whole: a
//! search finds what a break would part.

use super::streams;

/// As standard output takes it.
pub fn for_reader(text: String) -> String {
    match streams::columns() {
        Some(columns) => folded(&text, columns),
        None => text,
    }
}

/// The text with breaks between words, so that no line takes more columns than that, if its words let it.
fn folded(text: &str, columns: usize) -> String {
    text.split_inclusive('\n').map(|line| folded_line(line, columns)).collect()
}

fn folded_line(line: &str, columns: usize) -> String {
    if line.trim_end().chars().count() <= columns {
        return line.to_owned();
    }
    let margin = last_column(line, columns);
    let (head, rest): (String, String) = (line.chars().take(margin).collect(), line.chars().skip(margin).collect());
    head + &laid(&rest, " ", margin, columns)[margin..]
}

/// The words of a text in lines of that many columns, each begun by a margin of spaces.
pub fn laid(text: &str, gap: &str, margin: usize, columns: usize) -> String {
    let margin = " ".repeat(margin);
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + gap.len() + width > columns {
            out.push('\n');
            column = 0;
        }
        let before = if column == 0 { margin.as_str() } else { gap };
        out.push_str(before);
        out.push_str(word);
        column += before.len() + width;
    }
    out.push('\n');
    out
}

/// Where the last cell of a row begins: at least two spaces stand before it. One that begins so late that hardly a word would
/// fit is folded to the row's own beginning.
fn last_column(line: &str, columns: usize) -> usize {
    let letters: Vec<char> = line.chars().collect();
    let begins = |at: usize| at >= 2 && letters[at - 2..at] == [' ', ' '] && letters[at] != ' ';
    let own = letters.iter().position(|letter| *letter != ' ').unwrap_or(0);
    (0..letters.len()).rev().find(|at| begins(*at)).filter(|at| *at <= columns * 2 / 3).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn a_row_goes_on_below_its_last_cell() {
        let row = "  kill  hits    1 of 3: payments-1 (of deployment/payments, on n2)\n        seen    the API\n";
        let told = "  kill  hits    1 of 3: payments-1 (of\n                deployment/payments, on n2)\n        seen    the API\n";
        assert_eq!(folded(row, 44), told);
        assert_eq!(folded(row, 80), row);
        assert_eq!(folded("One sentence that is too long.\n", 16), "One sentence\nthat is too\nlong.\n");
        assert_eq!(
            folded("  a  b                           c d e\n", 20),
            "  a b c d e\n",
            "no room below the last cell"
        );
        assert_eq!(folded("averyveryverylongword and more\n", 10), "averyveryverylongword\nand more\n");
    }
}
