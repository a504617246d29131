//! A transaction as a tree of bars on an axis of time.

use std::fmt;
use std::io::{self, Write};

use super::axis::Axis;
use super::duration::duration;
use super::line::{Line, Style};
use super::terminal::Terminal;
use super::text::{clean, cut, width};
use super::tree::{Row, rows};
use crate::local::decode::ReceivedTransaction;
use crate::protocol::SpanStatus;

/// A drawing of a transaction: one line for it, an axis, and one line for each of its spans.
///
/// Spans hang below their parents in the order of their start. A `?` marks a
/// span whose parent is not in the transaction, `+3` one that is three levels
/// deeper than there is room to draw. Statuses other than `ok` stand at the end
/// of the line. Control characters in names are drawn as pictures of themselves,
/// so that nothing a client sends can have an effect on the terminal.
///
/// # Examples
///
/// ```no_run
/// # fn example(transaction: &taskspan::local::ReceivedTransaction) -> std::io::Result<()> {
/// use taskspan::local::Waterfall;
///
/// let text = Waterfall::new(transaction).width(120).to_string();
/// Waterfall::for_stdout(transaction).print()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Waterfall<'a> {
    transaction: &'a ReceivedTransaction,
    width: usize,
    color: bool,
}

impl<'a> Waterfall<'a> {
    /// A drawing of 80 columns without colours.
    pub fn new(transaction: &'a ReceivedTransaction) -> Self {
        Self {
            transaction,
            width: 80,
            color: false,
        }
    }

    /// A drawing that suits standard output.
    ///
    /// In a terminal it is as wide as that, and coloured unless `NO_COLOR` is
    /// set; anywhere else it is as [`new`](Self::new) has it.
    pub fn for_stdout(transaction: &'a ReceivedTransaction) -> Self {
        let terminal = Terminal::of_stdout();
        Self::new(transaction)
            .width(terminal.width)
            .color(terminal.color)
    }

    /// Sets the number of columns, from 60 to 1,000. The default is 80.
    pub fn width(mut self, columns: usize) -> Self {
        self.width = columns.clamp(MIN_WIDTH, MAX_WIDTH);
        self
    }

    /// Sets whether there are colours, as ANSI escape sequences. The default is none.
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    /// Writes the drawing to standard output.
    ///
    /// # Errors
    ///
    /// Fails when standard output cannot be written.
    pub fn print(&self) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{self}")
    }

    fn line(&self) -> Line {
        Line::new(self.color)
    }

    /// What the transaction is on the left, how it went on the right.
    fn header(&self) -> Line {
        let transaction = self.transaction;
        let mut facts = vec![(Style::Bold, duration(transaction.duration()))];
        if let Some(status) = transaction.status {
            facts.push((style(Some(status)), status.to_string()));
        }
        let trace_id = transaction.trace_id.to_string();
        facts.push((Style::Dim, format!("trace {:.8}", trace_id)));
        facts.push((
            Style::Dim,
            match transaction.spans.len() {
                1 => "1 span".to_owned(),
                count => format!("{count} spans"),
            },
        ));

        let mut op = clean(&transaction.op);
        if !op.is_empty() {
            op.push_str(" · ");
        }
        let name = match clean(&transaction.name) {
            name if name.is_empty() => "<unlabeled transaction>".to_owned(),
            name => name,
        };
        let wanted = (width(&op) + width(&name)).min(self.width / 3);
        let room = loop {
            let taken: usize = facts.iter().map(|fact| GAP + width(&fact.1)).sum();
            let room = self.width.saturating_sub(taken);
            if room >= wanted || facts.len() <= 2 {
                break room;
            }
            facts.pop();
        };

        let mut line = self.line();
        let op = cut(&op, room);
        line.put(Style::Plain, &op);
        line.put(Style::Bold, &cut(&name, room - width(&op)));
        line.go_to(room);
        for (style, fact) in facts {
            line.skip(GAP);
            line.put(style, &fact);
        }
        line
    }

    /// The beginning, the middle and the end of the axis.
    fn ruler(&self, columns: &Columns, axis: Axis) -> Line {
        let end = duration(axis.length());
        let middle = duration(axis.length() / 2);
        let mut line = self.line();
        line.go_to(columns.bar_start());
        line.put(Style::Dim, "0");
        let middle_start = (columns.bar / 2).saturating_sub(width(&middle) / 2);
        let end_start = columns.bar.saturating_sub(width(&end));
        if middle_start > 2 && middle_start + width(&middle) + 2 < end_start {
            line.go_to(columns.bar_start() + middle_start);
            line.put(Style::Dim, &middle);
        }
        if end_start > 1 {
            line.go_to(columns.bar_start() + end_start);
            line.put(Style::Dim, &end);
        }
        line
    }

    fn row(&self, row: &Label<'_>, columns: &Columns, axis: Axis) -> Line {
        let span = row.row.span;
        let mut line = self.line();
        line.put(Style::Dim, &row.row.prefix);
        if row.row.is_orphan {
            line.put(Style::Yellow, ORPHAN);
        }
        let room = columns.label.saturating_sub(line.column());
        line.put(Style::Bold, &cut(&row.op, room));
        let gap = if row.op.is_empty() { 0 } else { GAP };
        let room = columns.label.saturating_sub(line.column() + gap);
        // Less than this is only an ellipsis.
        if room > 1 {
            line.skip(gap);
            line.put(Style::Plain, &cut(&row.description, room));
        }

        let (skipped, bar) = axis.bar(span.start, span.end, columns.bar);
        line.go_to(columns.bar_start() + skipped);
        line.put(bar_style(span.status), &bar);

        let duration = duration(span.duration());
        line.go_to(columns.duration_end() - width(&duration));
        line.put(Style::Plain, &duration);
        if let Some(status) = shown_status(span.status) {
            line.skip(GAP);
            line.put(style(Some(status)), status.as_str());
        }
        line
    }
}

impl fmt::Display for Waterfall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.header())?;
        // Up to half of the labels' column is for branches.
        let levels = max_label(self.width) / 2 / BRANCH;
        let rows: Vec<_> = rows(self.transaction, levels)
            .into_iter()
            .map(Label::new)
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let columns = Columns::new(self.width, &rows);
        let axis = Axis::of(self.transaction);
        write!(f, "\n{}", self.ruler(&columns, axis))?;
        for row in &rows {
            write!(f, "\n{}", self.row(row, &columns, axis))?;
        }
        Ok(())
    }
}

/// A row of the tree with its texts fit to be drawn.
struct Label<'a> {
    row: Row<'a>,
    op: String,
    description: String,
}

impl<'a> Label<'a> {
    fn new(row: Row<'a>) -> Self {
        Self {
            op: clean(&row.span.op),
            description: clean(&row.span.description),
            row,
        }
    }

    fn width(&self) -> usize {
        let mark = if self.row.is_orphan { width(ORPHAN) } else { 0 };
        let op = width(&self.op);
        let description = width(&self.description);
        let gap = if op > 0 && description > 0 { GAP } else { 0 };
        width(&self.row.prefix) + mark + op + gap + description
    }
}

/// How the columns of a drawing share its width.
struct Columns {
    label: usize,
    bar: usize,
}

impl Columns {
    fn new(total: usize, rows: &[Label<'_>]) -> Self {
        let longest = rows.iter().map(Label::width).max().unwrap_or(0);
        let status = rows
            .iter()
            .filter_map(|row| shown_status(row.row.span.status))
            .map(|status| GAP + status.as_str().len())
            .max()
            .unwrap_or(0);
        let rest = total - GAP - DURATION - status;
        let label = longest.min(max_label(total)).min(rest - MIN_BAR);
        Self {
            label,
            bar: rest - label,
        }
    }

    fn bar_start(&self) -> usize {
        self.label + GAP
    }

    fn duration_end(&self) -> usize {
        self.bar_start() + self.bar + DURATION
    }
}

fn max_label(total: usize) -> usize {
    total * 2 / 5
}

fn style(status: Option<SpanStatus>) -> Style {
    match status {
        None => Style::Plain,
        Some(SpanStatus::Ok) => Style::Green,
        Some(SpanStatus::Cancelled) => Style::Yellow,
        Some(_) => Style::Red,
    }
}

/// Most bars are of spans that went well: they have a colour of their own.
fn bar_style(status: Option<SpanStatus>) -> Style {
    match style(status) {
        Style::Plain | Style::Green => Style::Cyan,
        style => style,
    }
}

/// The status of a span, if it is worth a look.
fn shown_status(status: Option<SpanStatus>) -> Option<SpanStatus> {
    status.filter(|status| *status != SpanStatus::Ok)
}

/// Between two things on a line.
const GAP: usize = 2;
/// The width of one level of the tree.
const BRANCH: usize = 3;
/// The width of a duration, and of the gap before it.
const DURATION: usize = 9;
const MIN_BAR: usize = 8;
const MIN_WIDTH: usize = 60;
const MAX_WIDTH: usize = 1_000;
const ORPHAN: &str = "? ";

#[cfg(test)]
mod tests;
