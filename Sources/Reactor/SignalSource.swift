import Glibc
import Synchronization
public import SystemPackage

/// The write end of the pipe that brings signals to the loop; -1 before there is one.
///
/// A signal handler cannot carry a context, so there is one for the process.
private let signalPipe = Atomic<Int32>(-1)

/// Signals of the process, delivered on a loop's thread.
public enum SignalSource {
    /// Calls `handler` on the loop's thread for each of `signals` that the process gets. Once for a
    /// process.
    ///
    /// - Throws: the error of pipe(2).
    public static func add(
        _ signals: [Int32],
        to loop: EventLoop,
        handler: @escaping (Int32) -> Void
    ) throws(Errno) {
        let (readEnd, writeEnd) = try FileDescriptor.nonBlockingPipe()
        let previous = signalPipe.exchange(writeEnd.rawValue, ordering: .sequentiallyConsistent)
        precondition(previous == -1, "signals are taken once in a process")
        _ = loop.add(readEnd, for: .readable) { _ in
            var number: UInt8 = 0
            while Glibc.read(readEnd.rawValue, &number, 1) == 1 {
                handler(Int32(number))
            }
        }
        for number in signals {
            signal(number) { number in
                let saved = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = Glibc.write(signalPipe.load(ordering: .relaxed), &byte, 1)
                errno = saved
            }
        }
    }

    /// Makes writes to a closed peer an error (`EPIPE`) instead of the process's death.
    public static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
