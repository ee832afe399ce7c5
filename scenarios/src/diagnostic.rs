//! Problems: what is wrong, where, why, and what to write instead. All of them at once.

pub mod code;
pub mod example;
mod github;
mod human;
mod json;
mod sarif;

pub use code::Code;
pub use sarif::document as sarif;

use crate::source::{Sources, Span};

/// Beyond so many, further problems are only counted: a broken file of a megabyte must not make a megabyte of messages.
const MAX_KEPT: usize = 100;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The scenario cannot be used.
    Error,
    /// It can, but somebody should look (`validate --strict`).
    Warning,
}

impl Severity {
    /// As programs read it.
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of problem; `brunt explain E031` says more.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to see at that place.
    pub label: String,
    /// What to do.
    pub help: String,
    /// Other places that have to do with it, and what is to be seen there.
    pub also: Vec<(Span, String)>,
}

impl Diagnostic {
    /// An error; the label is empty until [`Diagnostic::label`] sets it.
    pub(crate) fn error(code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        let label = code.label().to_owned();
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            span,
            label,
            help: help.into(),
            also: Vec::new(),
        }
    }

    /// A warning.
    pub(crate) fn warning(code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message, help) }
    }

    /// Sets what to see at that place.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place that has to do with it.
    pub(crate) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }
}

/// Problems while they are being collected.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    kept: Vec<Diagnostic>,
    errors: usize,
    left_out: usize,
}

impl Problems {
    /// Adds a problem; one that was already told of this place (an alias is read once for each use) is told once.
    pub(crate) fn push(&mut self, problem: Diagnostic) {
        if problem.severity == Severity::Error {
            self.errors += 1;
        }
        if self.kept.len() == MAX_KEPT {
            self.left_out += 1;
        } else if !self.kept.contains(&problem) {
            self.kept.push(problem);
        }
    }

    /// Adds an error.
    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Diagnostic::error(code, span, message, help));
    }

    /// Adds what was told of each cell of a matrix: the same problem once, and one that not all cells have with the name of
    /// the first that has it.
    pub(crate) fn extend_from_cells(&mut self, cells: Vec<(String, Self)>) {
        let all = cells.len();
        let mut merged: Vec<(Diagnostic, String, usize)> = Vec::new();
        for (cell, problems) in cells {
            self.left_out = self.left_out.max(problems.left_out);
            for problem in problems.kept {
                match merged.iter_mut().find(|(known, _, _)| *known == problem) {
                    Some((_, _, times)) => *times += 1,
                    None => merged.push((problem, cell.clone(), 1)),
                }
            }
        }
        for (mut problem, cell, times) in merged {
            if times < all {
                let more = if times > 1 { format!(" and {} more", times - 1) } else { String::new() };
                problem.help = format!("{} (in the cell {cell}{more})", problem.help);
            }
            self.push(problem);
        }
    }

    /// Whether further problems are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.len() == MAX_KEPT
    }

    /// How many errors there were so far: a caller that compares before and after knows whether a part was sound.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// All of them, ordered by place.
    pub(crate) fn into_diagnostics(mut self, sources: Sources) -> Diagnostics {
        self.kept.sort_by_key(|problem| (problem.span, problem.code));
        Diagnostics { problems: self.kept, left_out: self.left_out, sources }
    }
}

/// All problems of a scenario, with the texts that they point into.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    problems: Vec<Diagnostic>,
    left_out: usize,
    sources: Sources,
}

impl Diagnostics {
    /// The problems, ordered by place.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.problems.iter()
    }

    /// How many there are, those that were only counted included.
    pub fn len(&self) -> usize {
        self.problems.len() + self.left_out
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The texts that the spans point into.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// `file:line:column` of a problem.
    pub fn place(&self, problem: &Diagnostic) -> String {
        self.sources.place(problem.span)
    }

    /// Warnings become errors (`validate --strict`).
    pub fn strict(mut self) -> Self {
        self.problems.iter_mut().for_each(|problem| problem.severity = Severity::Error);
        self
    }

    /// Whether the scenario cannot be used.
    pub fn has_errors(&self) -> bool {
        self.left_out > 0 || self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// For programs: one JSON object a line and problem.
    pub fn json(&self) -> String {
        json::render(self)
    }

    /// For GitHub: one workflow command a line and problem, which becomes an annotation.
    pub fn github(&self) -> String {
        github::render(self)
    }

    /// For people: each problem with the line it is about, and how many there are.
    pub fn render(&self, color: bool) -> String {
        human::render(self, color)
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
