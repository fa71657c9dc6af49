import SystemPackage
import XenstoreStore

/// A file that a store's reports are appended to, one line each, for its owner alone.
final class ReportFile {
    private let descriptor: FileDescriptor

    /// - Parameter path: an absolute one: a daemon has no directory that its clients know.
    /// - Returns: nil where the file cannot be had.
    init?(appendingTo path: String) {
        guard path.hasPrefix("/"),
            let descriptor = try? FileDescriptor.open(
                FilePath(path),
                .writeOnly,
                options: [.append, .create, .closeOnExec, .nonBlocking],
                permissions: .ownerReadWrite
            )
        else { return nil }
        self.descriptor = descriptor
    }

    deinit {
        try? descriptor.close()
    }

    func append(_ line: String) {
        // A full disk must not end the store; whoever reads the log misses a line.
        _ = try? descriptor.writeAll("\(line)\n".utf8)
    }
}

extension EmbeddedStore {
    /// Where the store's reports go: lines for whoever runs it, and files that CONTROL names.
    func report(to output: @escaping (String) -> Void) {
        host.store.report = output
        host.store.openReport = { path in
            ReportFile(appendingTo: path).map { file in { file.append($0) } }
        }
    }
}
