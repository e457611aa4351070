//! Tables of named columns: a polars frame that is made from cells, queried, printed, read and written.
//!
//! | part | file |
//! |---|---|
//! | [`Table`], made from cells and read as cells | `table`, `cell` |
//! | filter, select, join, group and the other operations of polars | `operations` |
//! | CSV and Parquet | `read_write`; files of Parquet: `parquet` |
//! | how a table prints | `print` |
//! | text files, CSV files and their records, whose errors name the line | `text_file`, `csv_file`, `csv_records` |
//! | the types of a CSV file's columns | `csv_types` |
//! | errors of polars as errors of this program | `polars_error` |

mod cell;
mod csv_file;
mod csv_records;
mod csv_types;
mod operations;
mod parquet;
mod polars_error;
mod print;
mod read_write;
mod table;
mod text_file;

pub use cell::Cell;
pub use csv_file::{CsvFile, DELIMITERS};
pub use csv_records::CsvRecords;
pub use operations::columns_of;
pub(crate) use parquet::ParquetFile;
pub(crate) use polars_error::polars_error;
pub(crate) use print::printed;
pub use read_write::guarded;
pub use table::Table;
pub use text_file::TextFile;
pub(crate) use text_file::{is_blank, start_of_text, trimmed};
