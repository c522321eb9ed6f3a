// What Toxiproxy's own client can do, against a server: ADDRESS UPSTREAM.
package main

import (
	"io"
	"log"
	"net"
	"os"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func ping(connection net.Conn) time.Duration {
	start := time.Now()
	must(connection.SetDeadline(start.Add(20 * time.Second)))
	_, err := connection.Write([]byte("ping"))
	must(err)
	_, err = io.ReadFull(connection, make([]byte, 4))
	must(err)
	return time.Since(start)
}

func connect(proxy *toxiproxy.Proxy) net.Conn {
	connection, err := net.Dial("tcp", proxy.Listen)
	must(err)
	return connection
}

func main() {
	client := toxiproxy.NewClient(os.Args[1])
	proxy, err := client.CreateProxy("db", "localhost:0", os.Args[2])
	must(err)
	if _, err = client.CreateProxy("db", "localhost:0", os.Args[2]); err == nil {
		log.Fatal("a second proxy of the same name was made")
	}
	connection := connect(proxy)
	ping(connection)
	toxic, err := proxy.AddToxic("", "latency", "upstream", 1, toxiproxy.Attributes{"latency": 100})
	must(err)
	if toxic.Name != "latency_upstream" {
		log.Fatal("it is called ", toxic.Name)
	}
	if took := ping(connection); took < 100*time.Millisecond {
		log.Fatal("not slow: ", took)
	}
	toxic, err = proxy.UpdateToxic("latency_upstream", 1, toxiproxy.Attributes{"latency": 150})
	must(err)
	if took := ping(connection); took < 150*time.Millisecond {
		log.Fatal("not slower: ", took)
	}
	must(proxy.RemoveToxic("latency_upstream"))
	if took := ping(connection); took > 90*time.Millisecond {
		log.Fatal("still slow: ", took)
	}
	toxics, err := proxy.Toxics()
	must(err)
	if len(toxics) != 0 {
		log.Fatal("still there: ", toxics)
	}
	must(proxy.Disable())
	if _, err = net.Dial("tcp", proxy.Listen); err == nil {
		log.Fatal("a disabled proxy let somebody in")
	}
	must(proxy.Enable())
	ping(connect(proxy))
	_, err = client.Populate([]toxiproxy.Proxy{{Name: "other", Listen: "localhost:0", Upstream: os.Args[2], Enabled: true}})
	must(err)
	proxies, err := client.Proxies()
	must(err)
	if len(proxies) != 2 {
		log.Fatal("there are ", proxies)
	}
	must(client.ResetState())
	must(proxy.Delete())
	if _, err = client.Proxy("db"); err == nil {
		log.Fatal("it is still there")
	}
}
