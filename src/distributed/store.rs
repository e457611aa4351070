//! Small values that all processes of a group read, by name: c10d's TCPStore.

use std::ffi::c_int;
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::IntoRawFd;
use std::time::{Duration, Instant};

use super::LOST;
use super::native::{self, Handle, message, text};
use super::place::Place;
use crate::activity::aside::aside;
use crate::activity::interrupt;
use crate::error::{Error, ErrorKind, Result};

/// A connection to the store of some processes, or the store itself.
pub struct Store {
    handle: Handle,
    /// How errors name it: `127.0.0.1:4711`.
    at: String,
}

// SAFETY: TCPStore locks its connection around every operation.
unsafe impl Send for Store {}
unsafe impl Sync for Store {}

/// How long one operation on the store may take. All values are looked for without waiting.
const OPERATION: Duration = Duration::from_secs(60);
/// How long a process tries to reach the store, in attempts between which Ctrl-C is looked at.
const CONNECTING: Duration = Duration::from_secs(300);
const ATTEMPT: Duration = Duration::from_secs(3);
/// Between two attempts.
const BETWEEN: Duration = Duration::from_millis(200);
/// Once asked to stop, a process waits so long for the others: they stop at the same place.
pub(super) const GRACE: Duration = Duration::from_secs(20);

impl Store {
    /// A store that this process serves to others on the same machine, at a free port.
    ///
    /// Errors: Io, as for a script that is not trusted and may make no connections.
    pub fn serve() -> Result<(Store, u16)> {
        let failed =
            |cause: String| Error::new(ErrorKind::Io, format!("no port can be opened for several processes: {cause}"));
        // Bound here, so that it is of this machine alone and no other process takes the port in between.
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| failed(e.to_string()))?;
        let port = listener.local_addr().map_err(|e| failed(e.to_string()))?.port();
        let store = Store::new("127.0.0.1", port, true, listener.into_raw_fd(), OPERATION).map_err(failed)?;
        Ok((store, port))
    }

    /// The store of a group. Errors: it cannot be reached, Interrupted.
    pub fn of(place: &Place) -> Result<Store> {
        let started = Instant::now();
        loop {
            interrupt::check()?;
            let made = match place.serves {
                true => Store::new(&place.host, place.port, true, -1, OPERATION),
                false => reached(&place.host, place.port)?,
            };
            match made {
                Ok(store) => return Ok(store),
                Err(cause) if place.serves || started.elapsed() > CONNECTING => {
                    let (rank, size, host, port) = (place.rank, place.size, &place.host, place.port);
                    let what = if place.serves { "serve the others at" } else { "reach" };
                    return Err(Error::new(
                        ErrorKind::Io,
                        format!("rank {rank} of {size} cannot {what} {host}:{port}: {cause}"),
                    )
                    .with_help("MASTER_ADDR and MASTER_PORT name a machine and a free port that all processes reach"));
                }
                Err(_) => {}
            }
            std::thread::sleep(BETWEEN);
        }
    }

    fn new(host: &str, port: u16, server: bool, descriptor: c_int, timeout: Duration) -> Result<Store, String> {
        let name = text(host).map_err(|e| e.message)?;
        let mut handle: Handle = std::ptr::null_mut();
        let timeout = timeout.as_millis() as i64;
        // SAFETY: the arguments live through the call.
        let failed =
            unsafe { native::cpsd_store_new(name.as_ptr(), port, server.into(), descriptor, timeout, &mut handle) };
        match message(failed) {
            Some(cause) => Err(cause),
            None => Ok(Store { handle, at: format!("{host}:{port}") }),
        }
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle
    }

    fn lost(&self, cause: String) -> Error {
        Error::new(ErrorKind::Io, format!("a process {LOST}: their store at {} does not answer: {cause}", self.at))
    }

    /// Sets a value. Errors: the store is gone.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let key = text(key)?;
        // SAFETY: the arguments live through the call.
        let failed = unsafe { native::cpsd_store_set(self.handle, key.as_ptr(), value.as_ptr(), value.len()) };
        message(failed).map_or(Ok(()), |cause| Err(self.lost(cause)))
    }

    /// A value, if it was set. Errors: the store is gone.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let key = text(key)?;
        let (mut bytes, mut length) = (std::ptr::null_mut(), 0);
        // SAFETY: the arguments live through the call.
        let failed = unsafe { native::cpsd_store_get(self.handle, key.as_ptr(), &mut bytes, &mut length) };
        if let Some(cause) = message(failed) {
            return Err(self.lost(cause));
        }
        if bytes.is_null() {
            return Ok(None);
        }
        // SAFETY: so many bytes, made for this call and freed once.
        let value = unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec();
        unsafe { native::cpsd_bytes_free(bytes) };
        Ok(Some(value))
    }

    /// Waits for the first of these keys that is set, and returns its number and value. `most` bounds the wait.
    ///
    /// Errors: the store is gone; Interrupted, a while after this process was asked to stop; None when the time is over.
    pub fn wait(&self, keys: &[String], most: Option<Duration>) -> Result<Option<(usize, Vec<u8>)>> {
        let (started, mut asked) = (Instant::now(), None);
        let mut pause = Duration::from_millis(1);
        loop {
            for (i, key) in keys.iter().enumerate() {
                if let Some(value) = self.get(key)? {
                    return Ok(Some((i, value)));
                }
            }
            if interrupt::requested() && asked.get_or_insert_with(Instant::now).elapsed() > GRACE {
                return Err(Error::interrupted());
            }
            if most.is_some_and(|most| started.elapsed() > most) {
                return Ok(None);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

/// One attempt to reach the store there, or why it failed. c10d's own cannot be stopped, and where an address does not answer it takes
/// minutes whatever its timeout. So it is made only where somebody listens, and on a thread that is left to itself after Ctrl-C.
///
/// Errors: those of [`aside`].
fn reached(host: &str, port: u16) -> Result<Result<Store, String>> {
    let host = host.to_string();
    aside("reach the store", move || {
        listens(&host, port).map_err(|e| e.to_string())?;
        Store::new(&host, port, false, -1, ATTEMPT)
    })
}

/// Whether somebody listens there.
fn listens(host: &str, port: u16) -> io::Result<()> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ATTEMPT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: made by `cpsd_store_new`, freed once.
        unsafe { native::cpsd_store_free(self.handle) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_reached_where_one_is() {
        let (store, port) = Store::serve().unwrap();
        store.set("a", b"1").unwrap();
        let other = reached("127.0.0.1", port).unwrap().unwrap();
        assert_eq!(other.get("a").unwrap(), Some(b"1".to_vec()));
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(reached("127.0.0.1", free).unwrap().is_err_and(|cause| cause.contains("refused")));
    }

    #[test]
    fn a_request_to_stop_is_heard_while_nobody_answers() {
        // Listens, and is no store.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let job = crate::activity::Activity::background("test".into(), None);
        let asks = job.clone();
        let asking = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            asks.stop();
        });
        let place = Place { rank: 1, size: 2, local_rank: 1, host: "127.0.0.1".into(), port, serves: false };
        let error = job.enter(|| Store::of(&place).err()).unwrap();
        assert_eq!(error.kind, ErrorKind::Interrupted);
        asking.join().unwrap();
    }
}
