//! HAProxy as the distribution ships it: in the foreground, with configuration and folder of its own, on loopback; and its
//! statistics socket, which counts for itself what went through.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host;
use crate::nginx::installed;

/// What one HAProxy is to be.
#[derive(Debug)]
pub struct Balancer {
    /// Its configuration and its socket lie here.
    pub folder: PathBuf,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// `http` or `tcp`.
    pub mode: &'static str,
    /// Servers of its backend: name and port on 127.0.0.1.
    pub servers: Vec<(String, u16)>,
    /// Words behind each server: `check inter 200ms`.
    pub server_words: &'static str,
}

impl Balancer {
    /// Writes its configuration and returns the command that runs it. A request whose server cannot be reached fails: it is
    /// neither tried again nor given to another server, so that what the health checks do can be seen.
    pub fn command(&self) -> Vec<String> {
        let Self { port, mode, server_words, .. } = self;
        let servers =
            self.servers.iter().map(|(name, port)| format!("  server {name} 127.0.0.1:{port} {server_words}\n"));
        let text = format!(
            "global\n  nbthread 1\n  maxconn 4000\n  stats socket {} mode 600 level admin\n  stats timeout 1h\n\
             defaults\n  mode {mode}\n  timeout connect 1s\n  timeout client 1h\n  timeout server 1h\n  retries 0\n\
             frontend front\n  bind 127.0.0.1:{port}\n  default_backend web\n\
             backend web\n  balance roundrobin\n{}",
            self.socket().display(),
            servers.collect::<String>()
        );
        let path = self.folder.join("haproxy.cfg");
        fs::write(&path, text).expect("the folder can be written to");
        [installed("haproxy").display().to_string(), "-db".into(), "-f".into(), path.display().to_string()].into()
    }

    /// Its statistics socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("haproxy.sock")
    }
}

/// A line to the statistics socket that is held open. HAProxy that is asked to end softly (SIGUSR1) stays until it is hung
/// up, so its last word can be heard after whoever started it has told it to end.
#[derive(Debug)]
pub struct Statistics(UnixStream);

impl Statistics {
    /// Waits until the socket is there and calls it.
    #[track_caller]
    pub fn of(socket: &Path) -> Self {
        let mut stream = None;
        let answers = || {
            stream = UnixStream::connect(socket).ok();
            stream.is_some()
        };
        assert!(host::comes_true(Duration::from_secs(30), answers), "{} does not answer", socket.display());
        let stream = stream.expect("it was just seen");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out can be set");
        let mut line = Self(stream);
        line.ask("prompt");
        line
    }

    /// Waits until HAProxy takes no connections any more, which is when all its clients have gone.
    #[track_caller]
    pub fn wait_for_soft_stop(&mut self) {
        let stops = || self.ask("show info").lines().any(|line| line == "Stopping: 1");
        assert!(host::comes_true(Duration::from_secs(60), stops), "nobody told HAProxy to stop");
    }

    /// `show stat`.
    pub fn table(&mut self) -> Table {
        Table::read(&self.ask("show stat"))
    }

    /// One command and its answer, which ends with a new prompt.
    fn ask(&mut self, command: &str) -> String {
        writeln!(self.0, "{command}").expect("HAProxy reads commands");
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while !answer.ends_with(b"\n> ") {
            let read = self.0.read(&mut buffer).expect("HAProxy answers");
            assert!(read > 0, "HAProxy hung up after {:?}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8(answer).expect("HAProxy answers in text")
    }
}

/// What HAProxy counted: a row for each frontend, server and backend.
#[derive(Debug)]
pub struct Table(Vec<BTreeMap<String, String>>);

impl Table {
    /// CSV; its first line begins with `# ` and names the columns.
    fn read(csv: &str) -> Self {
        let mut lines = csv.lines().skip_while(|line| !line.starts_with("# "));
        let names: Vec<&str> = lines.next().expect("a line of names").trim_start_matches("# ").split(',').collect();
        let rows = lines.filter(|line| line.contains(','));
        let row =
            |line: &str| names.iter().zip(line.split(',')).map(|(name, cell)| ((*name).into(), cell.into())).collect();
        Self(rows.map(row).collect())
    }

    /// A cell as HAProxy wrote it: of the row with this `svname` (`FRONTEND`, `BACKEND` or a server's name).
    #[track_caller]
    pub fn cell(&self, row: &str, column: &str) -> &str {
        let row = self.0.iter().find(|cells| cells.get("svname").is_some_and(|name| name == row));
        let cell = row.and_then(|cells| cells.get(column));
        cell.unwrap_or_else(|| panic!("there is no {column} in that row: {self}"))
    }

    /// A cell that is a number.
    #[track_caller]
    pub fn count(&self, row: &str, column: &str) -> u64 {
        self.cell(row, column).parse().unwrap_or_else(|_| panic!("{row} {column} is no number: {self}"))
    }
}

/// What a person looks at first, a line a row.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.0 {
            write!(f, "\n{}:", row.get("svname").map_or("", String::as_str))?;
            for name in ["status", "req_tot", "ereq", "hrsp_2xx", "hrsp_4xx", "hrsp_5xx", "econ", "eresp", "chkdown"] {
                write!(f, " {name} {}", row.get(name).map_or("", String::as_str))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_found_by_the_names_of_its_row_and_its_column() {
        let table = Table::read("\n# pxname,svname,req_tot,status,\nfront,FRONTEND,17,OPEN,\nweb,web-1,,UP,\n\n> ");
        assert_eq!(table.count("FRONTEND", "req_tot"), 17);
        assert_eq!(table.cell("web-1", "status"), "UP");
    }
}
