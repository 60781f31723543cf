//! Line plots, plain enough to be read on a light page and on a dark one.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// Apart from each other for most eyes, on white and on black.
const COLOURS: [&str; 6] = ["#3b82f6", "#f97316", "#10b981", "#a855f7", "#ef4444", "#64748b"];

/// A plot of lines over a logarithmic axis.
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) across: &'static str,
    pub(crate) up: &'static str,
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Plot {
    pub(crate) fn draw(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points.iter().copied());
        let most = nice(points().map(|(_, y)| y).fold(0.0, f64::max));
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for (x, _) in points() {
            (low, high) = (low.min(x.ln()), high.max(x.ln()));
        }
        let wide = (high - low).max(f64::MIN_POSITIVE);
        let x_of = |x: f64| LEFT + (x.ln() - low) / wide * (WIDTH - LEFT - RIGHT);
        let y_of = |y: f64| HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\" fill=\"#808890\">\n<title>{0}</title>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{0}</text>\n",
            self.title
        );
        // Writing to a String cannot fail.
        for step in 0..=4 {
            let value = most * f64::from(step) / 4.0;
            let (y, right) = (y_of(value), WIDTH - RIGHT);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#80889040\"/><text x=\"{}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                short(value)
            );
        }
        let mut marks: Vec<f64> = points().map(|(x, _)| x).collect();
        marks.sort_by(f64::total_cmp);
        marks.dedup();
        for x in marks {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                x_of(x),
                HEIGHT - BOTTOM + 18.0,
                short(x)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n<text transform=\"rotate(-90)\" x=\"{}\" \
             y=\"16\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 10.0,
            self.across,
            -HEIGHT / 2.0,
            self.up
        );
        for (index, ((name, points), colour)) in self.lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let path: Vec<String> =
                points.iter().map(|(x, y)| format!("{:.1} {:.1}", x_of(*x), y_of(*y))).collect();
            let row = TOP + 18.0 * index as f64;
            let right = WIDTH - RIGHT + 16.0;
            let _ = writeln!(
                svg,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/><path d=\"M{right} {row}h18\" \
                 stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{}\">{name}</text>",
                path.join("L"),
                right + 24.0,
                row + 4.0
            );
        }
        svg + "</svg>\n"
    }
}

/// The next number above that is easy to divide by four.
fn nice(number: f64) -> f64 {
    let power = 10_f64.powf(number.max(1e-9).log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= number)
        .unwrap_or(number)
}

fn short(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{}M", n / 1e6),
        n if n >= 1e3 => format!("{}k", n / 1e3),
        n => format!("{}", (n * 1000.0).round() / 1000.0),
    }
}
