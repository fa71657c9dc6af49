/// The form of a state file: a line, eight bytes that no other file has, and frames one after the
/// other, the first of them a snapshot.
///
/// The head of a frame has the length of what follows and its checksum, and a checksum of the head
/// by itself, of the place of the frame and of the eight bytes. So what is in a value is never
/// taken for a frame, and a frame is found behind one that is damaged.
struct StateForm {
    /// A frame that is whole.
    struct Frame {
        let payload: Range<Int>
        /// Whether the record goes on in the next frame.
        let isContinued: Bool

        var end: Int { payload.upperBound }
    }

    /// What is wrong where a frame should begin.
    enum Damage {
        /// A write at the very end that was not finished, or not all on the disk.
        case torn
        /// Something that was on the disk once.
        case inside
    }

    /// What stands at the end of a snapshot.
    static let snapshotEnd: [UInt8] = [0]
    private static let line = Array("xsfs state 2\n".utf8)
    private static let firstLine = Array("xsfs state 1\n".utf8)
    private static let saltSize = 8
    private static let largestPayload = 16 << 20
    private static let longestFound = 1 << 16
    private static let continued: UInt32 = 1 << 31
    /// What a disk writes as one, bytes.
    private static let sectorSize = 512

    private let salt: [UInt8]
    /// Whether it is the form before this one: without the eight bytes, checksums of heads, and the
    /// end of the snapshot.
    let isFirst: Bool

    var headerSize: Int { Self.line.count + salt.count }
    private var headSize: Int { isFirst ? 8 : 12 }

    /// The form of a new file.
    init() {
        var generator = SystemRandomNumberGenerator()
        salt = (0..<Self.saltSize).map { _ in UInt8.random(in: 0...255, using: &generator) }
        isFirst = false
    }

    /// The form of a file that is there; nil for one that is no state.
    init?(of bytes: [UInt8]) {
        isFirst = bytes.starts(with: Self.firstLine)
        let isThis = bytes.starts(with: Self.line) && bytes.count >= Self.line.count + Self.saltSize
        guard isFirst || isThis else { return nil }
        salt = isFirst ? [] : Array(bytes[Self.line.count..<(Self.line.count + Self.saltSize)])
    }

    /// Whether bytes are all that is left of a state file.
    static func isBeginning(_ bytes: [UInt8]) -> Bool {
        bytes.count < line.count + saltSize
            && line.prefix(bytes.count).elementsEqual(bytes.prefix(line.count))
    }

    // MARK: Writing

    var header: [UInt8] { Self.line + salt }

    /// A record as frames that stand at a place in the file, each of a size that a checksum is
    /// good for.
    func frames(_ record: [UInt8], at offset: Int) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var offset = offset
        var rest = record[...]
        repeat {
            let payload = rest.prefix(Self.largestPayload)
            rest = rest.dropFirst(payload.count)
            let frame = head(payload, isContinued: !rest.isEmpty, at: offset) + payload
            offset += frame.count
            frames.append(frame)
        } while !rest.isEmpty
        return frames
    }

    private func head(
        _ payload: ArraySlice<UInt8>,
        isContinued: Bool,
        at offset: Int
    ) -> [UInt8] {
        let length = UInt32(payload.count) | (isContinued ? Self.continued : 0)
        let head = Self.bytes(length) + Self.bytes(Checksum.of(payload))
        return head + Self.bytes(check(head[...], at: offset))
    }

    private func check(_ head: ArraySlice<UInt8>, at offset: Int) -> UInt32 {
        var checksum = Checksum()
        checksum.add(salt[...])
        checksum.add(Self.bytes(UInt64(offset))[...])
        checksum.add(head)
        return checksum.value
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    // MARK: Reading

    /// The frame that begins at a place; nil if none is there whole.
    func frame(in bytes: [UInt8], at start: Int) -> Frame? {
        // Most places are no frame's by the length alone.
        guard start + headSize < bytes.count, length(in: bytes, at: start) <= bytes.count - start,
            let frame = headedFrame(in: bytes, at: start), frame.end <= bytes.count
        else { return nil }
        guard Checksum.of(bytes[frame.payload]) == Self.number(bytes, at: start + 4) else {
            return nil
        }
        return frame
    }

    /// The next whole frame behind a place.
    func nextFrame(in bytes: [UInt8], after start: Int) -> Int? {
        (start + 1..<max(start + 1, bytes.count)).first { place in
            // In the first form each place may be a frame's, and long ones cost much.
            guard
                !isFirst || bytes.count - place <= headSize
                    || length(in: bytes, at: place) <= Self.longestFound
            else { return false }
            return frame(in: bytes, at: place) != nil
        }
    }

    private func length(in bytes: [UInt8], at start: Int) -> Int {
        let word = Self.number(bytes, at: start)
        return Int(isFirst ? word : word & ~Self.continued)
    }

    /// What may have happened where no whole frame begins.
    ///
    /// Each frame is on the disk before the next is written. So a write that was not finished is
    /// the last one, and ends too early, or has zeros from some point on: a file may get its new
    /// size before its data. Anything else was whole once.
    func damage(in bytes: [UInt8], at start: Int) -> Damage {
        let begin = start + headSize
        guard begin < bytes.count else { return .torn }
        let count = bytes.count - begin
        if !isFirst && count > Self.largestPayload { return .inside }
        let zeros = bytes.count - bytes.reversed().prefix { $0 == 0 }.count
        // Nothing of what follows the head is there.
        if zeros <= begin { return .torn }
        guard let length = headedLength(in: bytes, at: start), length >= count else {
            return .inside
        }
        if length == count {
            // Zeros that only the end of the record has may be its own.
            let sector = (zeros + Self.sectorSize - 1) / Self.sectorSize * Self.sectorSize
            return sector < bytes.count ? .torn : .inside
        }
        // Only the first form has a length that may be wrong.
        let isLengthWrong =
            isFirst
            && (Checksum.of(bytes[begin...]) == Self.number(bytes, at: start + 4)
                || nextFrame(in: bytes, after: start) != nil)
        return isLengthWrong ? .inside : .torn
    }

    /// The frame of a head that is whole.
    private func headedFrame(in bytes: [UInt8], at start: Int) -> Frame? {
        guard let length = headedLength(in: bytes, at: start) else { return nil }
        let begin = start + headSize
        let isContinued = !isFirst && Self.number(bytes, at: start) & Self.continued != 0
        return Frame(payload: begin..<(begin + length), isContinued: isContinued)
    }

    /// The length that a whole head gives to what follows it.
    private func headedLength(in bytes: [UInt8], at start: Int) -> Int? {
        let begin = start + headSize
        guard begin < bytes.count else { return nil }
        let length = length(in: bytes, at: start)
        // An empty record is none: a disk may give zeros for what was not written.
        guard length > 0 else { return nil }
        if isFirst {
            guard (1...8).contains(bytes[begin]) else { return nil }
        } else {
            let head = bytes[start..<(start + 8)]
            guard check(head, at: start) == Self.number(bytes, at: start + 8) else { return nil }
        }
        return length
    }

    private static func number(_ bytes: [UInt8], at start: Int) -> UInt32 {
        bytes[start..<(start + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
