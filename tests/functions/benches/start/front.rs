//! What stands before the engine and answers what it does not know of: the secret of enroll-members.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

/// The answer to whoever asks for the secret. The connection is not kept: the next request may be the
/// engine's.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 83\r\n\r\n\
    {\"SecretString\":\"0123456789012345678901234567890123456789012345678901234567890123\"}";

/// Starts it before the engine at `endpoint`, and says where it is reached.
pub(crate) fn start(endpoint: &str) -> String {
    let engine = endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let engine = engine.clone();
            // Whose function was stopped hangs up in the middle.
            thread::spawn(move || serve(connection.unwrap(), &engine).ok());
        }
    });
    format!("http://{address}")
}

fn serve(mut function: TcpStream, engine: &str) -> io::Result<()> {
    function.set_nodelay(true)?;
    let mut asked = Vec::new();
    let mut bytes = [0; 4_096];
    while !asked.windows(4).any(|it| it == b"\r\n\r\n") {
        let length = function.read(&mut bytes)?;
        if length == 0 {
            return Ok(());
        }
        asked.extend(&bytes[..length]);
    }
    let target: &[u8] = b"secretsmanager.GetSecretValue";
    if asked.windows(target.len()).any(|it| it == target) {
        // Its body is short, and ends as JSON does.
        while !asked.ends_with(b"}") {
            let length = function.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            asked.extend(&bytes[..length]);
        }
        return function.write_all(ANSWER.as_bytes());
    }
    let mut engine = TcpStream::connect(engine)?;
    engine.set_nodelay(true)?;
    engine.write_all(&asked)?;
    let (mut answers, mut answered) = (engine.try_clone()?, function.try_clone()?);
    let back = thread::spawn(move || io::copy(&mut answers, &mut answered));
    io::copy(&mut function, &mut engine)?;
    engine.shutdown(Shutdown::Write)?;
    back.join().unwrap()?;
    Ok(())
}
