//! The link as a relay before a task: what it does to answers, and whom it spares.

use tokio::net::TcpListener;

use super::*;

const CHECK: &[u8] =
    b"GET /health HTTP/1.1\r\nHost: shop\r\nUser-Agent: seaworthy-health-check\r\n\r\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

/// Asks over a connection and answers as the service, to which a connection is opened by the first
/// request; returns what comes of it, up to a whole answer.
async fn talk(
    caller: &mut TcpStream,
    listener: &TcpListener,
    service: &mut Option<TcpStream>,
    request: &[u8],
) -> Vec<u8> {
    caller.write_all(request).await.unwrap();
    if service.is_none() {
        *service = Some(accept(listener).await);
    }
    let service = service.as_mut().expect("it is there");
    let mut asked = vec![0; request.len()];
    service.read_exact(&mut asked).await.unwrap();
    assert_eq!(asked, request);
    service.write_all(&[HEAD, b"0123456789"].concat()).await.unwrap();
    let mut answer = Vec::new();
    let mut whole = (&mut *caller).take(HEAD.len() as u64 + 10);
    whole.read_to_end(&mut answer).await.unwrap();
    answer
}

#[test]
fn an_answer_is_cut_in_the_middle_and_the_connection_closed_and_the_one_before_is_whole() {
    run(async {
        let (link, listener) = bare(7).await;
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        let mut service = None;
        let answer = talk(&mut caller, &listener, &mut service, b"GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(answer, [HEAD, b"0123456789"].concat());
        let fault = link.inflict(LinkFault::HalfAnswers);
        let answer = talk(&mut caller, &listener, &mut service, b"GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(answer, [HEAD, b"01234"].concat());
        assert_eq!(link.met(fault), 1);
        assert!(closed(&mut service.expect("it was opened")).await);
    });
}

#[test]
fn health_checks_of_the_gateway_are_spared() {
    run(async {
        for fault in [
            LinkFault::Latency(ENDLESS),
            LinkFault::Errors { status: 500, share: WHOLE },
            LinkFault::Resets { share: WHOLE },
            LinkFault::Stalls { share: WHOLE },
            LinkFault::HalfAnswers,
        ] {
            let (link, listener) = bare(7).await;
            let id = link.inflict(fault);
            let mut caller = TcpStream::connect(link.address()).await.unwrap();
            let answer = talk(&mut caller, &listener, &mut None, CHECK).await;
            assert_eq!(answer, [HEAD, b"0123456789"].concat(), "{fault}");
            assert_eq!(link.met(id), 0, "{fault}");
        }
    });
}
