# varnishd -F -a 127.0.0.1:8085 -n /tmp/dante-varnish -f "$PWD/test/hosts/varnish.vcl"
vcl 4.1;
backend dante { .host = "127.0.0.1"; .port = "8881"; }
sub vcl_recv {
  if (req.http.upgrade ~ "(?i)^websocket$") { return (pipe); }
  return (pass); # A browser asks whether a file has changed: do not keep an old one.
}
sub vcl_pipe {
  set bereq.http.upgrade = req.http.upgrade;
  set bereq.http.connection = req.http.connection;
}
