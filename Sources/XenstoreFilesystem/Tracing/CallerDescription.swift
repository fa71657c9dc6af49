/// Who has made a system call, for who looks for them later.
public struct CallerDescription: Sendable {
    /// The name of the program; `?` where it is not known, as the numbers are less than zero.
    public var command: String
    public var userID: Int64
    public var processID: Int64
    /// The process that has started it: a shell where mkdir(1) is gone by now.
    public var parentID: Int64

    public init(
        command: String = "?",
        userID: Int64 = -1,
        processID: Int64 = -1,
        parentID: Int64 = -1
    ) {
        self.command = command
        self.userID = userID
        self.processID = processID
        self.parentID = parentID
    }
}
