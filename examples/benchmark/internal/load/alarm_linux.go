package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// timerFile is a timer of the kernel's. The runtime's own wait for up to a
// millisecond more when the program is idle, since it rounds the time that it
// waits for the network; a timer that is read as if it were a connection wakes the
// program at once.
type timerFile struct {
	fd   int
	file *os.File
}

func systemAlarm() (alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return timerFile{fd, os.NewFile(uintptr(fd), "timer")}, nil
}

// sleep must not be called with a time that is over: 0 would stop the timer.
func (t timerFile) sleep(d time.Duration) error {
	after := unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}
	if err := unix.TimerfdSettime(t.fd, 0, &after, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	var times [8]byte
	_, err := t.file.Read(times[:])
	return err
}

func (t timerFile) Close() error { return t.file.Close() }
