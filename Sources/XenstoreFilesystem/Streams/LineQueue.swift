/// Lines that wait to be read from an open file, within a bound, and those who wait for them.
final class LineQueue {
    /// What stands in the place of lines that were dropped.
    static let overflowLine = "overflow"

    private var lines: [String] = []
    private var waitingLines: Set<String> = []
    /// Bytes that a reader has begun to take.
    private var bytes: ArraySlice<UInt8> = []
    private var readers: [Int: UnsafeContinuation<Void, Never>] = [:]
    private var nextReader = 0
    private var hasEnded = false

    /// Whether a read returns at once.
    var isReadable: Bool { !lines.isEmpty || !bytes.isEmpty || hasEnded }

    /// Adds a line, unless it waits already. Where ``FilesystemLimits/streamLines`` wait they are
    /// dropped for one that says so.
    func add(_ line: String) {
        guard waitingLines.insert(line).inserted else { return }
        if lines.count == FilesystemLimits.streamLines {
            lines = []
            waitingLines = [line]
            miss()
        }
        lines.append(line)
        wakeReaders()
    }

    /// Says that lines were dropped.
    func miss() {
        guard waitingLines.insert(Self.overflowLine).inserted else { return }
        lines.append(Self.overflowLine)
        wakeReaders()
    }

    /// Makes reads return the end of the file when all is read.
    func end() {
        hasEnded = true
        wakeReaders()
    }

    /// Takes bytes, at most `count`; nil where there are none yet, and none at the end.
    func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard isReadable else { return nil }
        if bytes.isEmpty {
            bytes = lines.flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] }[...]
            lines = []
            waitingLines = []
        }
        let taken = bytes.prefix(count)
        bytes = bytes.dropFirst(taken.count)
        return taken
    }

    /// Takes bytes as ``take(_:)`` does, when there are some.
    ///
    /// - Parameter waits: whether to wait for some; else ``FilesystemError/again``.
    /// - Throws: ``FilesystemError/interrupted`` when the task is cancelled.
    func read(_ count: Int, waits: Bool) async throws(FilesystemError) -> ArraySlice<UInt8> {
        while true {
            if let bytes = take(count) { return bytes }
            guard waits else { throw .again }
            try await waitForLine()
        }
    }

    /// Waits until a read returns at once.
    private func waitForLine() async throws(FilesystemError) {
        nextReader += 1
        let reader = nextReader
        // The task is cancelled on the thread that it runs on.
        nonisolated(unsafe) let queue = self
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if Task.isCancelled || queue.isReadable {
                    continuation.resume()
                } else {
                    queue.readers[reader] = continuation
                }
            }
        } onCancel: {
            queue.readers.removeValue(forKey: reader)?.resume()
        }
        if Task.isCancelled { throw .interrupted }
    }

    private func wakeReaders() {
        let woken = readers
        readers = [:]
        for continuation in woken.values { continuation.resume() }
    }
}
