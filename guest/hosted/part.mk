HOSTED_SRC := guest/hosted/host.c guest/hosted/link.c guest/hosted/pcap.c guest/hosted/wire.c
