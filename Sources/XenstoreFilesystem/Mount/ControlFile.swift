/// An open file beside the keys: a text as of the opening, or the reply to the last command.
final class ControlFile {
    let inode: InodeNumber
    private(set) var content: [UInt8]
    let takesCommands: Bool
    /// What `.xsfs/log` gives to read.
    let lines: LineQueue?

    init(
        _ control: Control,
        content: [UInt8] = [],
        takesCommands: Bool = false,
        lines: LineQueue? = nil
    ) {
        inode = control.inode
        self.content = content
        self.takesCommands = takesCommands
        self.lines = lines
    }

    /// Has what was not read yet make way for the reply to a command, or for why there is none.
    func reply(_ bytes: [UInt8]) { content = bytes }

    /// Gives out what was not read yet.
    func take(_ count: Int) -> ArraySlice<UInt8> {
        let taken = content.prefix(count)
        content.removeFirst(taken.count)
        return taken
    }
}
