# varnishd -F -a 127.0.0.1:8085 -n /tmp/dante-varnish -f "$PWD/test/hosts/varnish.vcl"
vcl 4.1;
import directors;
backend one { .host = "127.0.0.1"; .port = "8881"; }
backend two { .host = "127.0.0.1"; .port = "8882"; }
sub vcl_init {
  new dante = directors.round_robin();
  dante.add_backend(one);
  dante.add_backend(two);
}
sub vcl_recv {
  set req.backend_hint = dante.backend();
  if (req.http.upgrade ~ "(?i)^websocket$") { return (pipe); }
  return (pass); # The server gives each file an ETag: a browser asks whether it has changed.
}
sub vcl_pipe {
  set bereq.http.upgrade = req.http.upgrade;
  set bereq.http.connection = req.http.connection;
}
