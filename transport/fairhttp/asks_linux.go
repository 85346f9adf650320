package fairhttp

import (
	"encoding/binary"
	"syscall"
)

// synSent is TCP_SYN_SENT of Linux.
const synSent = 2

// asks reports whether a socket has asked for a connection and has no answer.
func asks(fd uintptr) bool {
	// Of what TCP_INFO returns, the first byte is the state.
	info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
	var first [4]byte
	binary.NativeEndian.PutUint32(first[:], uint32(info))
	return err != nil || first[0] == synSent
}
