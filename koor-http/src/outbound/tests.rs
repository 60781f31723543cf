//! Calls over loopback sockets.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};

use super::*;

/// A receiver that answers every connection's requests with these bytes, and passes on what it was sent.
async fn receiver(answer: &'static str) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, told) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    let _ = heard.try_send(String::from_utf8_lossy(&buffer[..read]).into_owned());
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, told)
}

fn call(url: String) -> Outbound {
    Outbound {
        method: "POST".to_owned(),
        url,
        headers: vec![("x-koor-event", "true".to_owned())],
        body: Bytes::from_static(b"{}"),
        timeout: Duration::from_secs(10),
        most: Some(1024),
    }
}

fn client() -> OutboundClient {
    OutboundClient::new(OutboundPolicy::local()).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[tokio::test]
async fn an_answer_comes_back_with_its_status_and_body() {
    let (address, mut told) = receiver(OK).await;
    let answer = client().send(call(format!("http://u%40x:p@{address}/hook?x=1#part"))).await;
    assert_eq!(answer, Ok(OutboundAnswer { status: 200, body: Bytes::from_static(b"hi") }));
    let heard = told.recv().await.unwrap().to_lowercase();
    assert!(heard.starts_with("post /hook?x=1 http/1.1\r\n"), "{heard}");
    for line in [&*format!("host: {address}"), "x-koor-event: true", "authorization: basic dub4ona="] {
        assert!(heard.contains(&format!("{line}\r\n")), "{line} in {heard}");
    }
    assert!(heard.ends_with("\r\n\r\n{}"), "{heard}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (elsewhere, mut told_elsewhere) = receiver(OK).await;
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\nContent-Length: 0\r\n\r\n");
    let (address, _told) = receiver(redirect.leak()).await;
    let answer = client().send(call(format!("http://{address}/"))).await.unwrap();
    assert_eq!(answer.status, 302);
    assert!(told_elsewhere.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n",
        &*format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n", "x".repeat(0x800)),
    ] {
        let (address, _told) = receiver(answer.to_owned().leak()).await;
        let result = client().send(call(format!("http://{address}/"))).await;
        assert_eq!(result, Err(OutboundError::TooLong(1024)));
    }
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up() {
    let (address, _told) = receiver("").await;
    let mut call = call(format!("http://{address}/"));
    call.timeout = Duration::from_millis(50);
    assert_eq!(client().send(call).await, Err(OutboundError::TimedOut(Duration::from_millis(50))));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
    });
    let result = client().send(call(format!("http://{address}/"))).await;
    assert!(
        matches!(&result, Err(OutboundError::Failed(why)) if why.starts_with("the answer broke off")),
        "{result:?}"
    );
}

#[tokio::test]
async fn nobody_there_is_a_failure_that_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let result = client().send(call(format!("http://{free}/"))).await;
    assert!(
        matches!(&result, Err(OutboundError::Failed(why)) if why.starts_with("cannot connect: ")),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_private_address_is_refused_however_it_is_written() {
    let (address, mut told) = receiver(OK).await;
    let guarded = OutboundClient::new(OutboundPolicy::guarded(Vec::new())).unwrap();
    let port = address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ] {
        let result = guarded.send(call(format!("http://{host}:{port}/"))).await;
        assert!(matches!(result, Err(OutboundError::Refused(_))), "{host}: {result:?}");
    }
    assert!(told.try_recv().is_err());
    let allowed = OutboundPolicy::guarded(vec!["127.0.0.0/8".parse().unwrap()]);
    let answer = OutboundClient::new(allowed).unwrap().send(call(format!("http://localhost:{port}/"))).await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn metadata_is_refused_before_anything_is_sent() {
    for url in
        ["http://169.254.169.254/latest/", "https://[fd00:ec2::254]/", "http://0/", "http://2852039166/"]
    {
        let result = client().send(call(url.to_owned())).await;
        assert!(matches!(result, Err(OutboundError::Refused(_))), "{url}: {result:?}");
    }
}

#[tokio::test]
async fn what_is_no_url_is_a_failure() {
    for url in ["", "x", "file:///etc/passwd", "ftp://127.0.0.1/", "http://"] {
        let result = client().send(call(url.to_owned())).await;
        assert!(matches!(result, Err(OutboundError::Failed(_))), "{url}: {result:?}");
    }
}

#[tokio::test]
async fn calls_to_one_receiver_share_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // One connection and no other.
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        let mut buffer = vec![0; 4096];
        while let Ok(1..) = stream.read(&mut buffer).await {
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    });
    let client = client();
    for _ in 0..3 {
        assert_eq!(client.send(call(format!("http://{address}/"))).await.unwrap().status, 200);
    }
}
