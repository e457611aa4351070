//! The counts as a square CSV: a header of label names, one row per label, n_i in a second file or on the diagonal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::cooccurrence_counts::Cooccurrence;
use crate::activity::interrupt;
use crate::error::{Error, Result, counted};
use crate::files;
use crate::graph::label_names;
use crate::tables::{CsvRecords, TextFile, guarded};

impl Cooccurrence {
    /// Reads a square CSV whose header and first column are the label names.
    ///
    /// The n_i are read from `nums` (columns `label` and `count`, others ignored), else from a file next to the CSV
    /// (`coco_nums.csv` next to `coco_cooccurrence.csv`), else from the diagonal. The header gives the label order; rows
    /// may have another order, unless the table has no first column of names. Errors name the file and line.
    pub fn load_csv(path: impl AsRef<Path>, nums: Option<&Path>) -> Result<Self> {
        let path = path.as_ref();
        let lines = lines(path)?;
        let (labels, pairs) = square(path, &lines)?;
        let m = labels.len();
        let diagonal: Vec<u64> = (0..m).map(|i| pairs[i * m + i]).collect();
        let beside = nums.map(Path::to_path_buf).or_else(|| nums_beside(path).filter(|p| p.is_file()));
        let counts = match &beside {
            Some(nums) => {
                let counts = label_counts(nums, &labels)?;
                if let Some(i) = (0..m).find(|&i| diagonal[i] != 0 && diagonal[i] != counts[i]) {
                    return Err(Error::data(format!(
                        "label \"{}\" is in {} by {}, but the diagonal of {} has {}",
                        labels[i],
                        counted(counts[i] as usize, "image"),
                        nums.display(),
                        path.display(),
                        diagonal[i]
                    )));
                }
                counts
            }
            None if m > 0 && diagonal.iter().all(|&n| n == 0) => {
                let name = nums_beside(path).and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
                return Err(Error::data(format!(
                    "{}: the diagonal is zero, so how many images hold each label is not known",
                    path.display()
                ))
                .with_help(format!(
                    "put a CSV with columns label and count beside it as {}, or name one",
                    name.unwrap_or_default()
                )));
            }
            None => diagonal,
        };
        Self::from_parts(&labels, counts, pairs).map_err(|mut e| {
            e.message = format!("{}: {}", path.display(), e.message);
            e
        })
    }

    /// Writes the square CSV with n_i on its diagonal, so that it can be read without a second file.
    ///
    /// This form does not hold N, the number of images.
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_named(path.as_ref(), |label| Cow::Borrowed(label))
    }

    /// The same for spreadsheets: names that one would take for a formula get an apostrophe before them
    /// ([`Table::guarded`](crate::tables::Table::guarded)), and are read again with it.
    ///
    /// Errors: two labels that would have one name; Io; Interrupted.
    pub fn save_csv_guarded(&self, path: impl AsRef<Path>) -> Result<()> {
        let names: Vec<String> = self.labels().iter().map(|label| guarded(label).into_owned()).collect();
        label_names::index(&names)?;
        self.save_named(path.as_ref(), guarded)
    }

    fn save_named(&self, path: &Path, name: impl Fn(&str) -> Cow<'_, str>) -> Result<()> {
        let m = self.len();
        files::write_whole(path, |out| {
            let failed = |e| Error::io(path, e);
            let mut line = String::from("label");
            for label in self.labels().iter() {
                line.push(',');
                line.push_str(&quote(&name(label)));
            }
            for (i, label) in self.labels().iter().enumerate() {
                interrupt::check()?;
                // One line at a time: those of many labels do not fit into memory.
                writeln!(out, "{line}").map_err(failed)?;
                line = quote(&name(label));
                for j in 0..m {
                    let n = if i == j { self.counts()[i] } else { self.pair(i, j) };
                    let _ = write!(line, ",{n}");
                }
            }
            writeln!(out, "{line}").map_err(failed)
        })
    }
}

/// The file of label counts that belongs to a CSV: `a/coco_nums.csv` for `a/coco_cooccurrence.csv`.
fn nums_beside(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let stem = stem.strip_suffix("_cooccurrence").unwrap_or(stem);
    Some(path.with_file_name(format!("{stem}_nums.csv")))
}

/// One record, and the number of its first line, from 1.
struct Line {
    number: usize,
    fields: Vec<String>,
}

/// All records that have a field that is not empty. Errors name the line.
fn lines(path: &Path) -> Result<Vec<Line>> {
    let file = TextFile::read(path)?;
    // A single label may be named "a;b".
    let mut records = CsvRecords::separated_by(&file, b',');
    let mut lines = Vec::new();
    while let Some(number) = records.next()? {
        let fields: Vec<String> = (0..records.len()).map(|i| records.field(i).to_string()).collect();
        if fields.iter().any(|f| !f.is_empty()) {
            lines.push(Line { number, fields });
        }
    }
    Ok(lines)
}

/// A count: digits, or a whole number in the form of a float (`12.0`). An empty field is 0.
fn count(field: &str) -> Option<u64> {
    let field = field.trim();
    if field.is_empty() {
        return Some(0);
    }
    if let Ok(n) = field.parse() {
        return Some(n);
    }
    let x: f64 = field.parse().ok()?;
    // Above 2^53 a float does not hold every whole number.
    (x >= 0.0 && x.fract() == 0.0 && x <= 9_007_199_254_740_992.0).then_some(x as u64)
}

/// A field as it is written to a CSV file, in quotes where it needs them.
fn quote(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) || field.is_empty() {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
}

/// The label names and m × m numbers, row-major in the order of the header.
fn square(path: &Path, lines: &[Line]) -> Result<(Vec<String>, Vec<u64>)> {
    let at = |line: &Line, what: String| Error::data(format!("{}, line {}: {what}", path.display(), line.number));
    let Some((header, rows)) = lines.split_first() else {
        return Err(Error::data(format!(
            "{}: expected a header of label names, but the file is empty",
            path.display()
        )));
    };
    // There are as many rows as columns where a first column of row names is missing.
    let named = header.fields.len() != rows.len();
    let first = usize::from(named);
    let labels: Vec<String> = header.fields[first..].iter().map(|l| l.trim().to_string()).collect();
    let m = labels.len();
    if let Some(i) = labels.iter().position(String::is_empty) {
        return Err(at(header, format!("the label name in column {} is empty", i + first + 1)));
    }
    if rows.len() != m {
        return Err(Error::data(format!(
            "{}: expected {}, one per label name in the header; got {}",
            path.display(),
            counted(m, "row"),
            rows.len()
        )));
    }
    let places = label_names::index(&labels).map_err(|e| at(header, e.message))?;
    // Every row is as long as the header before memory for all pairs is taken.
    if let Some(line) = rows.iter().find(|line| line.fields.len() != header.fields.len()) {
        let (expected, came) = (header.fields.len(), line.fields.len());
        return Err(at(line, format!("expected {} as in the header; got {came}", counted(expected, "field"))));
    }
    let mut pairs = vec![0; m * m];
    let mut filled = vec![false; m];
    for (r, line) in rows.iter().enumerate() {
        interrupt::check()?;
        let i = if named {
            let name = line.fields[0].trim();
            *places.get(name).ok_or_else(|| {
                let mut e = Error::unknown("label", name, labels.iter().map(String::as_str));
                e.kind = crate::error::ErrorKind::Data;
                e.message =
                    format!("{}, line {}: row label \"{name}\" is not in the header", path.display(), line.number);
                e
            })?
        } else {
            r
        };
        if std::mem::replace(&mut filled[i], true) {
            return Err(at(line, format!("label \"{}\" has a second row", labels[i])));
        }
        for (j, field) in line.fields[first..].iter().enumerate() {
            pairs[i * m + j] = count(field).ok_or_else(|| {
                at(
                    line,
                    format!(
                        "the count of \"{}\" with \"{}\" must be a whole number; got \"{field}\"",
                        labels[i], labels[j]
                    ),
                )
            })?;
        }
    }
    Ok((labels, pairs))
}

/// n_i in label order, from a table with the columns `label` and `count`.
fn label_counts(path: &Path, labels: &[String]) -> Result<Vec<u64>> {
    let lines = lines(path)?;
    let at = |line: &Line, what: String| Error::data(format!("{}, line {}: {what}", path.display(), line.number));
    let Some((header, rows)) = lines.split_first() else {
        return Err(Error::data(format!(
            "{}: expected the columns label and count, but the file is empty",
            path.display()
        )));
    };
    let column = |name: &str| {
        header
            .fields
            .iter()
            .position(|f| f.trim().eq_ignore_ascii_case(name))
            .ok_or_else(|| at(header, format!("expected a column \"{name}\"; got {}", header.fields.join(", "))))
    };
    let (label_column, count_column) = (column("label")?, column("count")?);
    let places = label_names::index(labels)?;
    let mut counts = vec![None; labels.len()];
    for line in rows {
        let [Some(name), Some(n)] = [label_column, count_column].map(|c| line.fields.get(c).map(|f| f.trim())) else {
            let (expected, came) = (header.fields.len(), line.fields.len());
            return Err(at(line, format!("expected {} as in the header; got {came}", counted(expected, "field"))));
        };
        // Counts of labels that are not in the graph are ignored.
        if let Some(&i) = places.get(name) {
            let n = count(n)
                .ok_or_else(|| at(line, format!("the count of \"{name}\" must be a whole number; got \"{n}\"")))?;
            if counts[i].replace(n).is_some() {
                return Err(at(line, format!("label \"{name}\" has a second count")));
            }
        }
    }
    let missing = counts.iter().position(Option::is_none);
    if let Some(i) = missing {
        let mut error = Error::data(format!("{}: label \"{}\" has no count", path.display(), labels[i]));
        let names = rows.iter().filter_map(|l| l.fields.get(label_column).map(|f| f.trim()));
        error.help =
            crate::error::nearest(&labels[i], names).map(|near| format!("the nearest name there is \"{near}\""));
        return Err(error);
    }
    Ok(counts.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &str)]) -> Result<Cooccurrence> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Cooccurrence::load_csv(folder.path().join(files[0].0), None)
    }

    const SQUARE: &str = "label,cat,dog\ncat,0,2\ndog,2,0\n";

    #[test]
    fn counts_beside_or_on_the_diagonal() {
        let c =
            load(&[("x_cooccurrence.csv", SQUARE), ("x_nums.csv", "index,label,count\n0,dog,5\n1,cat,4\n")]).unwrap();
        assert_eq!(c.counts(), &[4, 5]);
        let c = load(&[("x.csv", "label,cat,dog\ndog,2,5\ncat,4,2\n")]).unwrap();
        assert_eq!((c.counts(), c.pair(0, 1)), (&[4, 5][..], 2));
        let c = load(&[("x.csv", "cat,dog\n4,2\n2.0,5\n")]).unwrap();
        assert_eq!((c.counts(), c.pair(0, 1)), (&[4, 5][..], 2));
        let e = load(&[("x_cooccurrence.csv", SQUARE)]).unwrap_err();
        assert!(e.message.contains("the diagonal is zero") && e.help.unwrap().contains("x_nums.csv"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let labels = ["a, b", "c \"d\"", "e\nf", "g\r\nh;\ri"].map(String::from);
        let pairs = vec![0, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 0];
        let c = Cooccurrence::from_parts(&labels, vec![3, 2, 1, 4], pairs).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("graph.csv");
        c.save_csv(&path).unwrap();
        assert_eq!(Cooccurrence::load_csv(&path, None).unwrap(), c);
    }

    #[test]
    fn names_are_guarded_for_spreadsheets_where_asked() {
        let labels = ["=a", "b", "-c"].map(String::from);
        let c = Cooccurrence::from_parts(&labels, vec![1, 1, 1], vec![0; 9]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("graph.csv");
        c.save_csv_guarded(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "label,'=a,b,'-c\n'=a,1,0,0\nb,0,1,0\n'-c,0,0,1\n");
        let twice = ["=a", "'=a"].map(String::from);
        let c = Cooccurrence::from_parts(&twice, vec![1, 1], vec![0; 4]).unwrap();
        assert!(c.save_csv_guarded(&path).unwrap_err().message.contains("'=a"));
        c.save_csv(&path).unwrap();
    }

    #[test]
    fn only_commas_separate_fields() {
        let c = load(&[("x.csv", "\u{feff}a;b\r\n\r\n5\r\n")]).unwrap();
        assert_eq!((c.labels().join("|"), c.counts()), ("a;b".into(), &[5][..]));
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!([count("12"), count(" 12.0 "), count("")], [Some(12), Some(12), Some(0)]);
        assert_eq!([count("-1"), count("1.5"), count("x"), count("NaN"), count("1e99")], [None; 5]);
    }

    #[test]
    fn malformed_tables_name_the_line() {
        let of = |text: &str| load(&[("x.csv", text)]).unwrap_err().message;
        assert!(of("").contains("the file is empty") && of("\n,,\n").contains("the file is empty"));
        assert!(of("label,cat,dog\ncat,1,0\n").contains("expected 2 rows, one per label name in the header; got 1"));
        assert!(of("label,cat,dog\ncat,1,0\ndog,1\n").contains("line 3: expected 3 fields"));
        assert!(of("label,cat,dog\ncat,1,0\ndgo,0,1\n").contains("line 3: row label \"dgo\""));
        assert!(of("label,cat,dog\ncat,1,x\ndog,0,1\n").contains("line 2: the count of \"cat\" with \"dog\""));
        assert!(of("label,cat,cat\ncat,1,0\ncat,0,1\n").contains("line 1: label \"cat\" appears twice"));
        assert!(of("label,cat,dog\ncat,1,0\ncat,0,1\n").contains("line 3: label \"cat\" has a second row"));
        assert!(of("label,cat,dog\ncat,1,3\ndog,3,9\n").contains("x.csv: \"cat\" and \"dog\" are counted together 3"));
        assert!(
            of("label,\"a\nb\",c\r\n,,\r\n\r\n\"a\nb\",1,0\nc,0,x\n").contains("line 7: the count of \"c\" with \"c\"")
        );
        assert!(of("label,cat\n\"cat,1\n").contains("line 2: a quote is not closed"));
        assert!(of("label,cat\n\"cat\"s,1\n").contains("line 2: a closing quote must be at the end of its field"));
        let nums = |text: &str| load(&[("x_cooccurrence.csv", SQUARE), ("x_nums.csv", text)]).unwrap_err();
        assert!(nums("name,count\ncat,1\n").message.contains("expected a column \"label\""));
        let e = nums("label,count\ncat,4\ndogs,5\n");
        assert!(e.message.contains("label \"dog\" has no count") && e.help.unwrap().contains("dogs"));
        assert!(nums("label,count\ncat,4\ncat,5\n").message.contains("line 3: label \"cat\" has a second count"));
    }
}
