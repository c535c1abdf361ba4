use std::net::SocketAddr;
use std::time::Duration;

use seaworthy_agent::api::server;
use seaworthy_agent::api::token::Token;
use seaworthy_agent::api::types::RevisionState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fake;

async fn start(directory: &tempfile::TempDir) -> (SocketAddr, Token) {
    let (handle, happens) = fake::start(directory.path(), RevisionState::InProgress);
    std::mem::forget(happens);
    let token = Token::of(&directory.path().join("token")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve_tcp(listener, handle, token.clone()));
    (address, token)
}

async fn get(address: SocketAddr, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn whoever_has_the_token_may_and_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let (address, token) = start(&directory).await;
    let token = token.reveal();
    let right = format!("host: {address}\r\nauthorization: Bearer {token}\r\n");
    assert!(get(address, "/v1/fleet", &right).await.starts_with("HTTP/1.1 200"));
    for wrong in ["", "authorization: Bearer x\r\n", &format!("authorization: Basic {token}\r\n")] {
        for path in ["/v1/fleet", "/v1/openapi.json", "/v1/nothing"] {
            let answer = get(address, path, &format!("host: localhost\r\n{wrong}")).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {wrong}: {answer}");
            assert!(answer.contains("www-authenticate: Bearer"));
            assert!(answer.contains("Bearer TOKEN"));
        }
    }
}

#[tokio::test]
async fn a_request_under_another_name_is_refused_even_with_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let (address, token) = start(&directory).await;
    let right = format!("authorization: Bearer {}\r\n", token.reveal());
    for host in ["host: evil.example\r\n", "host: evil.example:80\r\n", ""] {
        for path in ["/v1/fleet", "/"] {
            let answer = get(address, path, &format!("{host}{right}")).await;
            assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
        }
    }
}

#[tokio::test]
async fn the_dashboard_needs_nothing_from_elsewhere_and_runs_only_its_own_script() {
    let directory = tempfile::tempdir().unwrap();
    let (address, token) = start(&directory).await;
    let page = get(address, "/", "host: localhost\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200"));
    let policy = page.lines().find(|line| line.starts_with("content-security-policy")).unwrap();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert_eq!(page.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    for elsewhere in ["src=", "href=\"http", "url(", "@import", "innerHTML", "{{"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    let url = server::dashboard_url(address, &token);
    assert_eq!(url, format!("http://{address}/#{}", token.reveal()));
}
