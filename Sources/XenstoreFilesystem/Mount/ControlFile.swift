import XenstoreProtocol

/// An open file beside the keys: a text as of the opening, or the reply to the last command.
final class ControlFile {
    let inode: InodeNumber
    var content: [UInt8]
    let takesCommands: Bool
    /// What `.xsfs/log` gives to read.
    var lines: LineQueue?

    init(_ inode: InodeNumber, content: [UInt8], takesCommands: Bool = false) {
        self.inode = inode
        self.content = content
        self.takesCommands = takesCommands
    }

    /// Gives out what was not read yet.
    func take(_ count: Int) -> ArraySlice<UInt8> {
        let taken = content.prefix(count)
        content.removeFirst(taken.count)
        return taken
    }
}

extension MountedFilesystem {
    /// Carries out one command of `.xsfs/ctl`. Its reply, or why there is none, is read from the
    /// same handle.
    func command(_ line: [UInt8], _ handle: HandleID) async throws(FilesystemError) {
        let file = try files.find(handle.own)
        guard file.takesCommands else { throw .badHandle }
        let command: ControlLine
        do throws(ControlLine.Malformed) {
            command = try ControlLine(String(decoding: line, as: UTF8.self))
        } catch {
            file.content = Array("\(error.reason)\n".utf8)
            throw .invalid
        }
        if !command.request.isReadOnly { try store.requireWritable() }
        do throws(XenstoreError) {
            let reply = try await answer(to: command.request)
            if case .resetWatches = command.request {
                // The mount's own are gone too, and so are its transactions.
                loseTransactions()
                await store.connected()
            }
            file.content = command.text(of: reply)
        } catch {
            file.content = Array("\(error)\n".utf8)
            throw FilesystemError(error)
        }
    }

    /// Sends a request with another behind it. oxenstored 4.17 leaves one without payload until
    /// more bytes come.
    func answer(to request: Request) async throws(XenstoreError) -> [UInt8] {
        let answers = await access.send([request, .getDomainPath(.privileged)], in: .none)
        return try answers[0].get()
    }
}
