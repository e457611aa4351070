//! `cpsd runs`: what is in the run store, whether it is what was written, and what nothing needs any more.

use clap::Subcommand;
use cpsd::activity::console::print_line;
use cpsd::activity::interrupt;
use cpsd::error::Error;
use cpsd::primitives::runs::runs::{one, table};
use cpsd::primitives::values::run::RunValue;
use cpsd::primitives::values::table::TableValue;
use cpsd::runs::{RunStore, is_id};
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;
use cpsd::tables::Cell;
use cpsd::training::overview::RunFilter;
use cpsd::training::verify::{State, verify};

use super::exit;

/// List the finished runs, verify them, or remove what nothing needs any more
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

/// Which runs are listed: all that are given must match. Texts match a part of the column.
#[derive(clap::Args)]
struct Filters {
    /// With this tag
    #[arg(long)]
    tag: Option<String>,
    /// A part of the name
    #[arg(long)]
    name: Option<String>,
    /// A part of the data set's name
    #[arg(long)]
    data: Option<String>,
    /// A part of backbone and head
    #[arg(long)]
    model: Option<String>,
    /// Made at this date or later ("2026-11-20", "2026-11-20 14:30"), or so long ago at most ("7d", "12h", "30m")
    #[arg(long)]
    since: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// List the finished runs, or those that match
    List {
        #[command(flatten)]
        filters: Filters,
    },
    /// One run: name, tags, scores, settings, and the text that asked for it
    Show {
        /// Its id, or the beginning of it
        id: String,
    },
    /// The settings in which two runs differ
    Diff {
        /// The id of one run, or the beginning of it
        this: String,
        /// The id of the other
        other: String,
    },
    /// Read every file of every run and compare it with what was written; exit code 1 if one is damaged
    Verify {
        /// These runs only; otherwise all
        ids: Vec<String>,
    },
    /// List left-overs: files of killed processes, work on finished or given-up runs, damaged runs that were moved aside
    Prune {
        /// Remove them
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(args: Args, session: &mut Session) -> Result<u8, Failure> {
    let store = RunStore::new(session.host.runs.borrow().clone());
    match args.action {
        None => list(&store, RunFilter::default()).map_err(Failure::plain),
        Some(Action::List { filters: Filters { tag, name, data, model, since } }) => {
            list(&store, RunFilter { tag, name, data, model, since }).map_err(Failure::plain)
        }
        Some(Action::Show { id }) => show_run(&store, &id).map_err(Failure::plain),
        Some(Action::Diff { this, other }) => diff_runs(&store, &this, &other).map_err(Failure::plain),
        Some(Action::Verify { ids }) => verify_runs(&store, ids).map_err(Failure::plain),
        Some(Action::Prune { yes }) => prune(&store, yes).map_err(Failure::plain),
    }
}

fn list(store: &RunStore, filter: RunFilter) -> Result<u8, Error> {
    print_line(table(store, &filter)?.to_string().trim_end());
    Ok(exit::DONE)
}

fn show_run(store: &RunStore, id: &str) -> Result<u8, Error> {
    let run = RunValue(one(store, id)?);
    print_line(&run.to_string());
    print_line(&format!("finished {}, in {}", run.date()?, run.0.dir.display()));
    if let Some(made_with) = run.made_with()? {
        print_line(&format!("made with {made_with}"));
    }
    let scores = run.scores()?;
    if scores.0.height() > 0 {
        print_line(&format!("\nscores on test splits\n{}", scores.to_string().trim_end()));
    }
    let spec = serde_json::to_string_pretty(&run.0.spec()?).unwrap_or_default();
    print_line(&format!("\nsettings\n{spec}"));
    if let (Some(name), Some(text)) = (run.script_name(), run.script()) {
        print_line(&format!("\nasked for first by {name}\n{}", text.trim_end()));
    }
    Ok(exit::DONE)
}

fn diff_runs(store: &RunStore, this: &str, other: &str) -> Result<u8, Error> {
    let table = RunValue(one(store, this)?).diff(&RunValue(one(store, other)?))?;
    match table.0.height() {
        0 => print_line("no setting differs"),
        _ => print_line(table.to_string().trim_end()),
    }
    Ok(exit::DONE)
}

fn verify_runs(store: &RunStore, mut ids: Vec<String>) -> Result<u8, Error> {
    if let Some(wrong) = ids.iter().find(|id| !is_id(id)) {
        return Err(Error::argument(format!("\"{wrong}\" is not the id of a run, as train-3f29c0a81b52 is"))
            .with_help("`cpsd runs` lists the ids"));
    }
    if ids.is_empty() {
        ids.extend(store.damaged().into_iter().map(|run| run.id));
        ids.extend(store.list().into_iter().map(|run| run.id));
    }
    if ids.is_empty() {
        print_line(&format!("no runs in {}", store.root().display()));
        return Ok(exit::DONE);
    }
    let verdicts = verify(store, &ids)?;
    let row =
        |id: &str, state: &State, bytes| vec![Cell::Text(id.into()), Cell::Text(state.name().into()), size(bytes)];
    let rows = verdicts.iter().map(|verdict| row(&verdict.id, &verdict.state, verdict.bytes)).collect();
    print_line(&TableValue::from_rows(&["id", "state", "MB"], rows)?.to_string());
    let (mut bad, mut unchecked) = (0, 0);
    for verdict in &verdicts {
        match &verdict.state {
            State::Good => {}
            State::Unchecked => unchecked += 1,
            State::Damaged(error) => {
                bad += 1;
                print_line(&error.message);
                if let Some(help) = &error.help {
                    print_line(&format!("  {help}"));
                }
            }
        }
    }
    let good = verdicts.len() - bad - unchecked;
    match unchecked {
        0 => print_line(&format!("{good} verified, {bad} damaged")),
        _ => {
            print_line(&format!("{good} verified, {unchecked} without digests, {bad} damaged"));
            print_line(
                "those without digests were made before digests were kept: they can be read, but damage cannot be told",
            );
        }
    }
    Ok(if bad == 0 { exit::DONE } else { exit::FAILED })
}

fn prune(store: &RunStore, yes: bool) -> Result<u8, Error> {
    let leftovers = store.leftovers()?;
    if leftovers.is_empty() {
        print_line(&format!("nothing to remove in {}", store.root().display()));
        return Ok(exit::DONE);
    }
    let (mut rows, mut removed, mut bytes) = (Vec::new(), 0, 0);
    for leftover in &leftovers {
        interrupt::check()?;
        let path = leftover.path.strip_prefix(store.root()).unwrap_or(&leftover.path);
        rows.push(vec![Cell::Text(path.display().to_string()), Cell::Text(leftover.what.into()), size(leftover.bytes)]);
        if !yes || store.remove(leftover)? {
            removed += 1;
            bytes += leftover.bytes;
        }
    }
    print_line(&TableValue::from_rows(&["path", "what", "MB"], rows)?.to_string());
    let megabytes = bytes as f64 / 1e6;
    match yes {
        true => print_line(&format!("removed {removed} of {}: {megabytes:.1} MB", leftovers.len())),
        false => print_line(&format!(
            "nothing is removed yet; `cpsd runs prune --yes` removes these {removed}: {megabytes:.1} MB"
        )),
    }
    Ok(exit::DONE)
}

/// Bytes as megabytes with a digit.
fn size(bytes: u64) -> Cell {
    Cell::Float((bytes as f64 / 1e5).round() / 10.0)
}
