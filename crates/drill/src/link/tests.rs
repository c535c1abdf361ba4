//! The link between real sockets. What comes when is asserted as an order of events.

mod harness;
mod tasks;
mod transparent;

use std::io::ErrorKind;
use std::time::Duration;

use seaworthy_agent::clock::now;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use harness::{
    Caller, WHOLE, accept, answering, bare, bytes, closed, run, share, turn_round, until,
};

const LATENCY: Duration = Duration::from_millis(50);
/// Longer than a test.
const ENDLESS: Duration = Duration::from_secs(3600);

/// A link, and a caller over a connection that is new, or kept after a first answer.
async fn calling(kept: bool) -> (Link, harness::Seen, Caller) {
    let (link, seen) = answering(7).await;
    let mut caller = Caller::new(&link).await;
    if kept {
        assert_eq!(caller.status().await.unwrap(), 200);
    }
    (link, seen, caller)
}

#[test]
fn so_large_a_share_is_answered_by_the_link_and_the_same_one_for_the_same_seed() {
    run(async {
        let mut statuses = Vec::new();
        for seed in [7, 7, 8] {
            let (link, seen) = answering(seed).await;
            let fault = link.inflict(LinkFault::Errors { status: 503, share: share("30%") });
            let mut caller = Caller::new(&link).await;
            let mut got = Vec::new();
            for _ in 0..100 {
                got.push(caller.status().await.expect("each is answered"));
            }
            let errors = got.iter().filter(|status| **status == 503).count();
            assert!((15..45).contains(&errors), "{errors} of about 30");
            assert_eq!(link.met(fault), errors as u64);
            assert_eq!(seen.count(), 100 - errors, "those the link answers do not arrive");
            assert_eq!(link.arrivals().len(), 100);
            statuses.push(got);
        }
        assert_eq!(statuses[0], statuses[1]);
        assert_ne!(statuses[0], statuses[2]);
    });
}

#[test]
fn an_error_is_a_whole_answer_and_the_connection_closes_on_a_new_and_on_a_kept_one() {
    run(async {
        for kept in [false, true] {
            let (link, seen, mut caller) = calling(kept).await;
            let fault = link.inflict(LinkFault::Errors { status: 500, share: WHOLE });
            let (stream, mut first) = (caller.stream().await, [0]);
            stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 9000\r\n").await.unwrap();
            until(|| link.met(fault) == 1).await;
            tokio::select! {
                _ = stream.peek(&mut first) => panic!("answered before the head was whole"),
                () = turn_round(&link) => {}
            }
            stream.write_all(b"\r\n").await.unwrap();
            stream.peek(&mut first).await.unwrap();
            // A caller that is still sending is not disturbed, and gets to see the answer.
            for _ in 0..9 {
                turn_round(&link).await;
                stream.write_all(&[b'x'; 1000]).await.unwrap();
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
            assert!(answer.ends_with("\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
            assert_eq!((seen.count(), link.met(fault)), (usize::from(kept), 1));
            link.heal(fault);
            assert_eq!(Caller::new(&link).await.status().await.unwrap(), 200);
            assert_eq!(link.met(fault), 1);
        }
    });
}

#[test]
fn a_request_resets_its_connection_a_new_and_a_kept_one() {
    run(async {
        for kept in [false, true] {
            let (link, seen, mut caller) = calling(kept).await;
            let fault = link.inflict(LinkFault::Resets { share: WHOLE });
            assert_eq!(caller.status().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!((seen.count(), link.met(fault)), (usize::from(kept), 1));
            until(|| seen.open() == 0).await;
            link.heal(fault);
            assert_eq!(Caller::new(&link).await.status().await.unwrap(), 200);
        }
    });
}

#[test]
fn a_stall_lasts_until_it_is_healed_on_a_new_and_on_a_kept_connection() {
    run(async {
        for kept in [false, true] {
            let (link, seen, mut caller) = calling(kept).await;
            let fault = link.inflict(LinkFault::Stalls { share: WHOLE });
            caller.ask().await;
            until(|| link.met(fault) == 1).await;
            turn_round(&link).await;
            assert_eq!(seen.count(), usize::from(kept), "nothing is passed on");
            link.heal(fault);
            assert_eq!(caller.answer().await.unwrap(), 200, "it goes on");
            assert_eq!(seen.count(), 1 + usize::from(kept));
            assert_eq!((link.arrivals().len(), link.met(fault)), (seen.count(), 1));
        }
    });
}

#[test]
fn a_long_request_comes_whole_through_a_stall() {
    run(async {
        let (link, listener) = bare(7).await;
        let fault = link.inflict(LinkFault::Stalls { share: WHOLE });
        let body = bytes(3 << 20);
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        let sent = async {
            caller.write_all(&body).await.unwrap();
            caller.shutdown().await.unwrap();
        };
        let received = async {
            until(|| link.met(fault) == 1).await;
            link.heal(fault);
            let mut service = accept(&listener).await;
            let mut received = Vec::new();
            service.read_to_end(&mut received).await.unwrap();
            received
        };
        let (received, ()) = tokio::join!(received, sent);
        assert!(received == body);
    });
}

#[test]
fn every_piece_of_an_answer_and_its_end_is_held_on_a_new_and_on_a_kept_connection() {
    run(async {
        let (link, listener) = bare(7).await;
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        caller.write_all(b"a").await.unwrap();
        let mut service = accept(&listener).await;
        let fault = link.inflict(LinkFault::Latency(LATENCY));
        for turn in 1..=2 {
            assert_eq!(service.read_u8().await.unwrap(), b'a');
            for piece in [b'1', b'2'] {
                let sent = now();
                service.write_u8(piece).await.unwrap();
                assert_eq!(caller.read_u8().await.unwrap(), piece);
                assert!(now().since(sent) >= LATENCY);
            }
            assert_eq!(link.met(fault), turn, "requests, not pieces");
            caller.write_all(b"a").await.unwrap();
        }
        let closed = now();
        drop(service);
        assert_eq!(caller.read(&mut [0; 1]).await.unwrap_or(0), 0);
        assert!(now().since(closed) >= LATENCY);
    });
}

#[test]
fn what_is_held_stays_held_and_in_order_after_the_heal() {
    run(async {
        let (link, listener) = bare(7).await;
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        caller.write_all(b"a").await.unwrap();
        let mut service = accept(&listener).await;
        let [long, short] = [4, 1].map(|times| link.inflict(LinkFault::Latency(LATENCY * times)));
        let sent = now();
        service.write_u8(b'1').await.unwrap();
        until(|| link.met(long) == 1).await;
        link.heal(long);
        link.heal(short);
        service.write_u8(b'2').await.unwrap();
        drop(service);
        assert_eq!(caller.read_u8().await.unwrap(), b'1');
        assert!(now().since(sent) >= LATENCY * 5, "latencies add up");
        assert_eq!(caller.read_u8().await.unwrap(), b'2');
        assert_eq!(link.met(short), 1);
    });
}

#[test]
fn a_piece_does_not_wait_to_be_read_until_the_one_before_it_is_passed_on() {
    run(async {
        let (link, listener) = bare(7).await;
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        caller.write_all(b"a").await.unwrap();
        let mut service = accept(&listener).await;
        let endless = link.inflict(LinkFault::Latency(ENDLESS));
        service.write_u8(b'1').await.unwrap();
        until(|| link.met(endless) == 1).await;
        let other = link.inflict(LinkFault::Latency(LATENCY));
        service.write_u8(b'2').await.unwrap();
        until(|| link.met(other) == 1).await;
        assert_eq!(link.met(endless), 1);
    });
}

/// If it were not, both would be sent long before the link is done with the rest.
#[test]
fn what_is_held_or_stalled_is_bounded() {
    run(async {
        let (link, listener) = bare(7).await;
        let body = bytes(64 << 20);
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        caller.write_all(b"a").await.unwrap();
        let mut service = accept(&listener).await;
        link.inflict(LinkFault::Latency(ENDLESS));
        link.inflict(LinkFault::Stalls { share: WHOLE });
        let mut stalled = TcpStream::connect(link.address()).await.unwrap();
        let rest = async {
            for _ in 0..200 {
                turn_round(&link).await;
            }
        };
        tokio::select! {
            _ = service.write_all(&body) => panic!("all of an answer was taken"),
            _ = stalled.write_all(&body) => panic!("all of a request was taken"),
            () = rest => {}
        }
    });
}

/// Only so much is held at a time; nothing is lost for it.
#[test]
fn a_long_answer_comes_whole_through_latency() {
    run(async {
        let (link, listener) = bare(7).await;
        let fault = link.inflict(LinkFault::Latency(LATENCY / 10));
        let body = bytes(3 << 20);
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        caller.write_all(b"a").await.unwrap();
        let mut service = accept(&listener).await;
        let sent = async {
            service.write_all(&body).await.unwrap();
            service.shutdown().await.unwrap();
        };
        let mut received = Vec::new();
        let (read, ()) = tokio::join!(caller.read_to_end(&mut received), sent);
        read.unwrap();
        assert!(received == body);
        assert_eq!(link.met(fault), 1);
    });
}

#[test]
fn several_faults_meet_different_requests() {
    run(async {
        let (link, seen) = answering(7).await;
        let latency = link.inflict(LinkFault::Latency(Duration::from_millis(1)));
        let resets = link.inflict(LinkFault::Resets { share: share("30%") });
        let errors = link.inflict(LinkFault::Errors { status: 502, share: share("50%") });
        let mut caller = Caller::new(&link).await;
        let mut got = [0; 3];
        for _ in 0..100 {
            got[match caller.status().await {
                Ok(200) => 0,
                Ok(_) => 1,
                Err(_) => 2,
            }] += 1;
        }
        assert!(got.iter().all(|count| *count > 10), "{got:?}");
        assert_eq!([latency, errors, resets].map(|fault| link.met(fault)), got);
        assert_eq!(seen.count() as u64, got[0]);
    });
}

#[test]
fn dropping_the_link_ends_everything() {
    run(async {
        let (link, seen) = answering(7).await;
        let address = link.address();
        let mut kept = Caller::new(&link).await;
        assert_eq!(kept.status().await.unwrap(), 200);
        let fault = link.inflict(LinkFault::Stalls { share: WHOLE });
        let mut stalled = Caller::new(&link).await;
        stalled.ask().await;
        until(|| link.met(fault) == 1).await;
        drop(link);
        assert!(closed(kept.stream().await).await && closed(stalled.stream().await).await);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        until(|| seen.open() == 0).await;
    });
}
