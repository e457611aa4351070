//! Which process of how many this one is, as the environment says it.

use crate::error::{Error, Result};

/// One process among those that train one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 0.
    pub rank: usize,
    /// The number of processes, at least 2 from the environment.
    pub size: usize,
    /// The number of this process on its machine, from 0.
    pub local_rank: usize,
    /// Where the store is: a name or an address.
    pub host: String,
    pub port: u16,
    /// Whether this process serves the store; else whoever started the processes does, or rank 0.
    pub serves: bool,
}

/// The port of PyTorch's launchers.
const PORT: u16 = 29500;
/// The first of 10,000 ports of which the number of a Slurm job chooses one.
const SLURM_PORTS: u32 = 20_000;

impl Place {
    /// The place that the environment gives, as torchrun does (`RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`, `MASTER_PORT`,
    /// `TORCHELASTIC_USE_AGENT_STORE`), or as `srun` does for the tasks of a step (`SLURM_PROCID`, `SLURM_STEP_NUM_TASKS`,
    /// `SLURM_LOCALID`; then the first node of `SLURM_STEP_NODELIST` serves, at a port that follows from the job's number).
    /// None where a process is alone.
    ///
    /// Errors: a variable that is no number, a rank that is none of the processes.
    pub fn from_environment() -> Result<Option<Place>> {
        Place::of(&|name| std::env::var(name).ok())
    }

    /// The variables that give a process its place. They are removed from the environment of workers that do other work.
    pub const VARIABLES: [&'static str; 6] =
        ["RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_USE_AGENT_STORE"];

    /// The variables for process `rank` of `size` on this machine, whose store is served at a port of it.
    pub fn variables(rank: usize, size: usize, port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("RANK", rank.to_string()),
            ("WORLD_SIZE", size.to_string()),
            ("LOCAL_RANK", rank.to_string()),
            ("MASTER_ADDR", "127.0.0.1".into()),
            ("MASTER_PORT", port.to_string()),
            ("TORCHELASTIC_USE_AGENT_STORE", "True".into()),
        ]
    }

    fn of(get: &dyn Fn(&str) -> Option<String>) -> Result<Option<Place>> {
        let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let number = |name: &str| -> Result<Option<usize>> {
            let Some(value) = get(name) else { return Ok(None) };
            value.trim().parse().map(Some).map_err(|_| {
                Error::argument(format!("the environment variable {name} must be a whole number; got \"{value}\""))
            })
        };
        let (rank, size, local) = match (get("RANK"), get("SLURM_PROCID")) {
            (Some(_), _) => ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
            // That of a step: the script of a batch job has the number of its tasks too, and is alone.
            (None, Some(_)) => ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),
            (None, None) => return Ok(None),
        };
        let (Some(place), Some(processes)) = (number(rank)?, number(size)?) else { return Ok(None) };
        if processes < 2 {
            return Ok(None);
        }
        if place >= processes {
            return Err(Error::argument(format!(
                "the environment variable {rank} must be below {size}, {processes}; got {place}"
            )));
        }
        let slurm_port = number("SLURM_JOB_ID")?.map(|job| (SLURM_PORTS + (job % 10_000) as u32) as u16);
        let port = match number("MASTER_PORT")? {
            Some(port) => u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| {
                Error::argument(format!("the environment variable MASTER_PORT must be from 1 to 65535; got {port}"))
            })?,
            None => slurm_port.unwrap_or(PORT),
        };
        let nodes = get("SLURM_STEP_NODELIST").map(|nodes| first_node(&nodes));
        Ok(Some(Place {
            rank: place,
            size: processes,
            local_rank: number(local)?.unwrap_or(place),
            host: get("MASTER_ADDR").or(nodes).unwrap_or_else(|| "127.0.0.1".into()),
            port,
            serves: place == 0 && get("TORCHELASTIC_USE_AGENT_STORE").is_none_or(|agent| agent != "True"),
        }))
    }
}

/// The first name of a list of Slurm's: `gpu[003-005,9]-ib,x` is `gpu003-ib`.
fn first_node(list: &str) -> String {
    match list.find(['[', ',']) {
        Some(at) if list[at..].starts_with('[') => {
            let inside = &list[at + 1..];
            let first = inside.split(['-', ',', ']']).next().unwrap_or("");
            let after = inside.split_once(']').map_or("", |(_, after)| after);
            let after = after.split(',').next().unwrap_or("");
            format!("{}{first}{after}", &list[..at])
        }
        Some(at) => list[..at].to_string(),
        None => list.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Place>, String> {
        let get = |name: &str| variables.iter().find(|v| v.0 == name).map(|v| v.1.to_string());
        Place::of(&get).map_err(|e| e.message)
    }

    #[test]
    fn torchrun_and_srun_give_a_place_and_a_batch_script_is_alone() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("WORLD_SIZE", "4")]), Ok(None));
        assert_eq!(of(&[("RANK", "0"), ("WORLD_SIZE", "1")]), Ok(None));
        let variables = Place::variables(1, 2, 4711);
        let here: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let host = "127.0.0.1".to_string();
        assert_eq!(of(&here), Ok(Some(Place { rank: 1, size: 2, local_rank: 1, host, port: 4711, serves: false })));
        let torchrun = [("RANK", "0"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "0"), ("MASTER_ADDR", "a")];
        let place = of(&torchrun).unwrap().unwrap();
        assert!(place.serves && place.port == 29500 && place.host == "a");
        let slurm = [
            ("SLURM_PROCID", "5"),
            ("SLURM_STEP_NUM_TASKS", "8"),
            ("SLURM_LOCALID", "1"),
            ("SLURM_STEP_NODELIST", "gpu[003-005,9]"),
            ("SLURM_JOB_ID", "1234567"),
        ];
        let host = "gpu003".to_string();
        let expected = Place { rank: 5, size: 8, local_rank: 1, host, port: 24567, serves: false };
        assert_eq!(of(&slurm), Ok(Some(expected)));
        // The script of a batch job of eight tasks.
        assert_eq!(of(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "8")]), Ok(None));
        assert_eq!([first_node("node[1-3]-ib,b"), first_node("a[02,4].x")], ["node1-ib", "a02.x"]);
        assert_eq!((first_node("a,b"), first_node("a-1")), ("a".to_string(), "a-1".to_string()));
    }

    #[test]
    fn wrong_variables_are_named() {
        let wrong = of(&[("RANK", "x"), ("WORLD_SIZE", "2")]).unwrap_err();
        assert_eq!(wrong, "the environment variable RANK must be a whole number; got \"x\"");
        let wrong = of(&[("RANK", "2"), ("WORLD_SIZE", "2")]).unwrap_err();
        assert_eq!(wrong, "the environment variable RANK must be below WORLD_SIZE, 2; got 2");
        for port in ["70000", "0"] {
            let wrong = of(&[("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_PORT", port)]).unwrap_err();
            assert!(wrong.contains("from 1 to 65535"), "{wrong}");
        }
    }
}
