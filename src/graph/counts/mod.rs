//! Counts of labels and of pairs of labels over images: counting, reading, writing and printing them.

mod cooccurrence_counts; // `Cooccurrence`: the counts themselves
mod count_batches; // counting images that come in batches
mod count_by_image; // counting a few labels: one square table per piece of the images
mod count_by_label; // counting many labels: one row of counts per label
mod count_images; // counting images given as label lists
mod image_rows; // label lists of images as compressed rows
mod pair_counts; // pair counts as a square table or a list
mod pair_list; // the pairs seen, where a square table would be too large
mod print_counts; // printed form
mod ranked_pairs; // the most frequent pairs and the most surprising absent ones
mod square_csv; // reading and writing the counts as a square CSV

pub use cooccurrence_counts::Cooccurrence;
pub use count_batches::Counter;
pub use pair_list::PairList;
pub use ranked_pairs::Pair;
