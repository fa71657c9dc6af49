import Glibc
package import SystemPackage

extension Errno {
    /// The calling thread's errno.
    package static var current: Errno { Errno(rawValue: errno) }
}

extension FileDescriptor {
    /// A pipe whose ends do not block and do not pass to programs that are executed.
    static func nonBlockingPipe() throws(Errno) -> (readEnd: Self, writeEnd: Self) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw Errno.current }
        let (readEnd, writeEnd) = (Self(rawValue: ends[0]), Self(rawValue: ends[1]))
        for end in [readEnd, writeEnd] {
            try end.setNonBlocking()
            try end.setCloseOnExec()
        }
        return (readEnd, writeEnd)
    }

    /// Closes the descriptor where nothing can be done about an error.
    package func closeIgnoringErrors() {
        _ = Glibc.close(rawValue)
    }

    func writeByteIgnoringErrors() {
        var byte: UInt8 = 1
        _ = Glibc.write(rawValue, &byte, 1)
    }

    func drainIgnoringErrors() {
        var bytes = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        let size = MemoryLayout.size(ofValue: bytes)
        while Glibc.read(rawValue, &bytes, size) == size {}
    }

    /// Reads what is there; nil where the descriptor would block.
    ///
    /// - Returns: the number of bytes; 0 at the end of the stream.
    /// - Throws: the error of read(2).
    package func readAvailable(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        while true {
            let count = Glibc.read(rawValue, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            switch Errno.current {
            case .interrupted: continue
            case .wouldBlock, .resourceTemporarilyUnavailable: return nil
            case let error: throw error
            }
        }
    }

    /// Writes what fits; nil where the descriptor would block. A closed peer is an error, never a
    /// signal: the process ignores SIGPIPE.
    ///
    /// - Throws: the error of write(2).
    package func writeAvailable(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int? {
        while true {
            let count = Glibc.write(rawValue, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            switch Errno.current {
            case .interrupted: continue
            case .wouldBlock, .resourceTemporarilyUnavailable: return nil
            case let error: throw error
            }
        }
    }

    /// Writes what fits of `bytes` from an index on; nil where the descriptor would block.
    ///
    /// - Throws: the error of write(2).
    package func writeAvailable(_ bytes: [UInt8], from start: Int, count: Int? = nil)
        throws(Errno) -> Int?
    {
        var outcome: Result<Int?, Errno> = .success(nil)
        bytes.withUnsafeBytes { buffer in
            let end = count.map { start + $0 } ?? buffer.count
            let part = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
            do throws(Errno) {
                outcome = .success(try writeAvailable(part))
            } catch {
                outcome = .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Makes reads and writes return at once.
    ///
    /// - Throws: the error of fcntl(2).
    package func setNonBlocking() throws(Errno) {
        let flags = fcntl(rawValue, F_GETFL)
        guard flags >= 0, fcntl(rawValue, F_SETFL, flags | O_NONBLOCK) == 0 else {
            throw Errno.current
        }
    }

    /// Keeps the descriptor from programs that are executed.
    ///
    /// - Throws: the error of fcntl(2).
    package func setCloseOnExec() throws(Errno) {
        guard fcntl(rawValue, F_SETFD, FD_CLOEXEC) == 0 else { throw Errno.current }
    }
}
