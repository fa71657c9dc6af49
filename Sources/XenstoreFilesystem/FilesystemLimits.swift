/// The filesystem's own bounds, and what happens at each.
public enum FilesystemLimits {
    /// Bytes of a name that every kernel takes; some leave longer ones out of listings.
    public static let shortName = 1024

    /// How often a change that needs a transaction is tried while other clients get in its way;
    /// then it fails with EAGAIN.
    public static let transactionAttempts = 32

    /// Transactions that a guest's mount has open at a time for changes of its own; then others
    /// wait for their turn. Its store allows ten, or eleven, to all of the domain, and the kernel's
    /// drivers need some.
    public static let transactionsAtOnce = 4

    /// How long a change of a guest waits for a transaction while the store gives nobody one; then
    /// it fails with EAGAIN.
    public static let transactionPatience = Duration.seconds(5)

    /// Bytes of a value, newline included, before anything is sent; then EFBIG. What fits a message
    /// is less by the length of the path.
    public static let fileSize = 4096

    /// Bytes of a file at most: the largest value that a store may hold, and its newline.
    public static let largestSize = 4097

    /// Keys that are remembered after the kernel forgot them, with their numbers, their times, and
    /// what they were made as; then nothing is known of the oldest any more.
    public static let rememberedKeys = 8192

    /// How long after a change of its own the mount takes an event at that path for its event; and
    /// after a look that has shown a change, for the event of that.
    public static let foreseenEvents = Duration.seconds(1)

    /// Scratch files at a time; then making another fails with ENOSPC.
    public static let scratchFiles = 1024

    /// Bytes of all scratch files together; then writing more fails with ENOSPC.
    public static let scratchBytes = 16 << 20

    /// Changes that are remembered to tell whether an answer on its way is out of date; then any
    /// older answer counts as out of date.
    public static let changeLog = 256

    /// Seconds in which the thread whose commit failed may look at the directory once more.
    public static let failureSeconds = 1.0

    /// Seconds that the kernel may keep the name of a transaction: longer than a commit takes that
    /// is given up at last, and that mv(1) looks at.
    public static let transactionNameSeconds = 60.0

    /// Keys that an open transaction is remembered to rest on, to name one after a conflict; then a
    /// conflict may have no name.
    public static let touchedKeys = 65536

    /// How long what a thread was told serves its next calls about the same file; then they ask.
    /// Less than a change and its acknowledgement take: a store may send the event of a change some
    /// time after that, as oxenstored does.
    public static let threadStatLifetime = Duration.microseconds(50)

    /// Threads of which the last answer is kept; then all are forgotten.
    public static let threadStats = 64

    /// How long what was read ahead for a program that goes through a listing serves it; then it is
    /// asked for again.
    public static let readaheadLifetime = Duration.milliseconds(5)

    /// Files that are asked for together when a program begins to go through a listing.
    public static let readaheadInitial = 8

    /// Files that are asked for together at most.
    public static let readaheadMax = 64

    /// Bytes of values that are read ahead; then what is held of them is dropped.
    public static let readaheadBytes = 1 << 20

    /// Names of children that a listing asks for before it knows that they are there.
    public static let hintedNames = 64

    /// Bytes of names that are kept as hints for listings; then all are forgotten.
    public static let hintBytes = 1 << 20

    /// Requests that one pipelined batch of a rename holds.
    public static let renameBatch = 1024

    /// How long with `cache=watch` a file is read past the kernel's cache after its content has
    /// changed; and after which a thread that its size was granted to is sure to have taken note.
    public static let quietPeriod = Duration.seconds(1)

    /// Keys of which that is remembered; then those of the last second are forgotten.
    public static let recentlyModifiedKeys = 1024

    /// How long events are left in the socket where hundreds come in a second and nobody waits for
    /// them.
    public static let readDeferral = Duration.milliseconds(8)

    /// Children of a directory that are asked for when a program begins to watch it; those of a
    /// larger one are known by name alone, and the first change of one is told as MODIFY.
    public static let watchBaseline = 4096

    /// How long opening a file waits at most for the kernel to take note of the size that it was
    /// given with a change by others.
    public static let injection = Duration.milliseconds(100)

    /// How long after that a program may still be answered that asked before: the kernel leaves the
    /// size in such an answer.
    public static let overtaking = Duration.milliseconds(200)

    /// Files for which that is remembered; then it is forgotten for all.
    public static let injectedSizes = 1024

    /// How long an inotify event waits, at most, for a program that has just opened the file to
    /// read.
    public static let reading = Duration.milliseconds(5)

    /// How long it waits, at most, for a program that opens the file once more.
    public static let openRetry = Duration.milliseconds(20)

    /// How long the agent's rmdir(2) waits for the store to say that the directory is still gone.
    /// What is below one that is told later than the one above is not told at all.
    public static let removalQuestion = Duration.milliseconds(500)

    /// How long no program must have looked a name up before the agent makes a directory that the
    /// kernel knows: who mounts something in it does so a moment after.
    public static let quietTime = Duration.milliseconds(1)
    /// How often that is waited for. The kernel has the directory above locked meanwhile.
    public static let quietTimes = 5

    /// Event streams that are open at a time; then opening another fails with ENOSPC.
    public static let streams = 1024

    /// How long the store may be silent before the mount's root is shown as it was seen last.
    static let silence = Duration.milliseconds(500)

    /// Lines that wait for the reader of an event stream; then they are dropped, and one says so.
    public static let streamLines = 4096

    /// Directories of which an event stream remembers who may list them; then it forgets all.
    public static let streamRights = 4096

    /// Seconds that the kernel may keep the attributes of the store's root with `cache=watch`: each
    /// path may be checked against them, and oxenstored does not tell of their change.
    public static let rootLifetimeSeconds = 1.0

    /// Seconds that the kernel may keep a name that a watch invalidates.
    public static let nameLifetimeSeconds = 86400.0
}
