//! Horizontal bars as SVG.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use crate::table::number;

/// One bar.
#[derive(Debug)]
pub struct Bar {
    pub label: String,
    pub value: f64,
}

/// Draws bars from the top down, in a row for each, into a file of that name.
///
/// The colours stand out on white and on black, since the page around decides which it is.
pub fn draw(file: &Path, title: &str, unit: &str, bars: &[Bar]) -> io::Result<()> {
    let height = TOP + ROW * bars.len();
    let greatest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"14\" fill=\"{TEXT}\">\n\
         <title>{title}</title>\n\
         <text x=\"0\" y=\"16\" font-weight=\"bold\">{title}</text>\n",
        title = escaped(title),
    );
    for (row, bar) in bars.iter().enumerate() {
        let top = TOP + ROW * row;
        let length = (BARS as f64 * bar.value / greatest).max(1.0);
        let colour = if bar.label == "taskspan" {
            OURS
        } else {
            THEIRS
        };
        let value = format!("{} {unit}", number(bar.value));
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LABELS}\" y=\"{top}\" width=\"{length:.0}\" height=\"{bar_height}\" fill=\"{colour}\"/>\
             <text x=\"{end:.0}\" y=\"{y}\">{value}</text>",
            x = LABELS - 8,
            y = top + 16,
            label = escaped(&bar.label),
            bar_height = ROW - 4,
            end = LABELS as f64 + length + 8.0,
            value = escaped(&value),
        );
    }
    svg.push_str("</svg>\n");
    fs::write(file, svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const WIDTH: usize = 720;
/// Where the first row begins.
const TOP: usize = 28;
/// The height of a row.
const ROW: usize = 24;
/// The width of the labels.
const LABELS: usize = 180;
/// The length of the longest bar.
const BARS: usize = 400;

const TEXT: &str = "#7d8590";
const OURS: &str = "#2f81f7";
const THEIRS: &str = "#8b949e";
