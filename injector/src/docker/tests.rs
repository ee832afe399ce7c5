//! What is said when there is no engine, or something else. The real one stands in the whole-program tests.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;

use super::*;

/// Answers one request with these bytes and hangs up.
fn answering(folder: &Path, answer: &'static str) -> (Docker, thread::JoinHandle<String>) {
    let socket = folder.join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (Docker::at(socket), asked)
}

fn by(variables: &[(&str, &str)]) -> Result<Docker, DockerError> {
    Docker::by_variables(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()))
}

#[test]
fn the_engine_is_the_one_that_the_environment_names_and_only_on_this_host() {
    assert_eq!(by(&[("DOCKER_HOST", "unix:///x/y.sock")]).unwrap(), Docker::at("/x/y.sock"));
    for host in ["tcp://10.0.0.1:2375", "ssh://me@there", "/x/y.sock"] {
        let error = by(&[("DOCKER_HOST", host)]).unwrap_err().to_string();
        assert!(error.contains(host) && error.contains("containers of this host"), "{error}");
    }
}

#[test]
fn an_engine_without_root_is_found_below_the_runtime_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let of_user = [("XDG_RUNTIME_DIR", folder.path().to_str().unwrap())];
    // Where a machine has one for everybody, that one is asked: as `docker` does it.
    if Path::new("/var/run/docker.sock").exists() {
        return assert_eq!(by(&of_user).unwrap(), Docker::at("/var/run/docker.sock"));
    }
    let error = by(&of_user).unwrap_err().to_string();
    assert!(error.contains("/var/run/docker.sock") && error.contains(path.to_str().unwrap()), "{error}");
    std::fs::write(&path, "").unwrap();
    assert_eq!(by(&of_user).unwrap(), Docker::at(path));
}

#[test]
fn a_container_has_its_own_name_and_not_what_others_call_it() {
    let folder = tempfile::tempdir().unwrap();
    let list = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\
                [{\"Id\":\"ab\",\"Names\":[\"/web/db\",\"/db\"],\"Labels\":{\"tier\":\"1\"},\"State\":\"running\",\"More\":1},\
                {\"Id\":\"cd\",\"Names\":[\"/web\"],\"Labels\":null,\"State\":\"exited\"}]";
    let (docker, asked) = answering(folder.path(), list);
    let found = docker.list().unwrap();
    let seen: Vec<_> = found.iter().map(|one| (one.name(), one.label("tier"), one.state.as_str())).collect();
    assert_eq!(seen, [("db", Some("1"), "running"), ("web", None, "exited")]);
    let asked = asked.join().unwrap();
    assert!(asked.starts_with("GET /containers/json?all=true HTTP/1.1\r\n"), "{asked}");
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let no = "HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n{\"message\":\"Container ab is already paused\"}";
    let (docker, _asked) = answering(folder.path(), no);
    let error = docker.pause("ab").unwrap_err().to_string();
    assert_eq!(error, "the Docker Engine refused to pause: Container ab is already paused (HTTP 409)");
}

#[test]
fn a_container_that_is_not_there_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let none = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"message\":\"No such container: ab\"}";
    let (docker, _asked) = answering(folder.path(), none);
    assert_eq!(docker.inspect("ab").unwrap(), None);
}

#[test]
fn what_is_no_engine_is_told_with_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let error = Docker::at(&path).list().unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("No such file"), "{error}");

    let (docker, _asked) = answering(folder.path(), "220 mail.example ESMTP\r\n");
    let error = docker.list().unwrap_err().to_string();
    assert!(error.contains("could not list containers"), "{error}");
    std::fs::remove_file(&path).unwrap();

    let (docker, _asked) = answering(folder.path(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
    let error = docker.list().unwrap_err().to_string();
    assert!(error.contains("is no Docker Engine"), "{error}");
}

#[test]
fn nobody_is_killed_early_because_the_engine_counts_whole_seconds() {
    assert_eq!(whole_seconds(Duration::ZERO), 0);
    assert_eq!(whole_seconds(Duration::from_secs(3)), 3);
    assert_eq!(whole_seconds(Duration::from_millis(3001)), 4);
}
