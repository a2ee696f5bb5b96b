// A component in Rust that answers requests itself (wasi:http/incoming-handler): it says what was asked, and sends the
// body back.
use wasi::exports::http::incoming_handler::Guest;
use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::StreamError;

struct Handler;
wasi::http::proxy::export!(Handler);

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let headers = Fields::new();
        let asked = request.path_with_query().unwrap_or_default();
        headers.set("x-asked", &[asked.into_bytes()]).expect("a field may be set");
        headers.set("content-type", &[b"text/plain".to_vec()]).expect("a field may be set");
        let data = read(request);
        let response = OutgoingResponse::new(headers);
        response.set_status_code(if data.is_empty() { 404 } else { 200 }).expect("a status may be set");
        let body = response.body().expect("there is one body");
        ResponseOutparam::set(out, Ok(response));
        println!("{} bytes came", data.len());
        let stream = body.write().expect("it is written once");
        for piece in data.chunks(4096) {
            stream.blocking_write_and_flush(piece).expect("somebody reads");
        }
        drop(stream);
        OutgoingBody::finish(body, None).expect("it is whole");
    }
}

fn read(request: IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("it is consumed once");
    let stream = body.stream().expect("it is read once");
    let mut data = Vec::new();
    loop {
        match stream.blocking_read(65536) {
            Ok(piece) => data.extend(piece),
            Err(StreamError::Closed) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    drop(stream);
    IncomingBody::finish(body);
    data
}
