/// Words that have given way to those of the field, each by itself and as a part of a name: see
/// the glossary of docs/ARCHITECTURE.md.
private let retiredWords = Set(
    // In pieces, or the check would find this file.
    [
        ["po", "ke"], ["po", "kes"], ["po", "ked"], ["po", "ker"], ["po", "kers"], ["po", "king"],
        ["dou", "bt"], ["dou", "bts"], ["dou", "bted"], ["fore", "tell"], ["fore", "tells"],
        ["fore", "told"], ["announ", "ce"], ["announ", "ces"], ["announ", "ced"],
        ["announ", "cer"], ["announ", "cing"],
    ].map { $0.joined() }
)

/// Names of the same kind that are made of words which are fine by themselves.
private let retiredNames = Set(
    [
        ["Child", "Records"], ["Fresh", "Facts"], ["Key", "Facts"], ["Facts", "Query"],
        ["Last", "Answers"], ["Walk", "Place"], ["Kernel", "Notification"],
        ["Kernel", "Notifier"], ["Notification", "Gate"], ["forget", "Name"],
        ["forget", "Content"], ["after", "Notices"], ["wait", "ForRevoked"],
        ["shown", "View"], ["view", "WhenEmpty"], ["require", "View"], ["Own", "Changes"],
        ["own", "Changes"], ["Recording", "Access"], ["Measured", "Access"], ["Space", "ID"],
        ["Transaction", "Space"], ["was", "ToldStale"], ["is", "KeptDirectory"],
        ["hold", "Events"], ["Event", "Load"],
    ].map { $0.joined() }
)

/// What is retired comes back nowhere: a reader of the code finds one term for one thing.
func checkRetiredWords(_ path: String, _ text: String) -> [Finding] {
    var findings: [Finding] = []
    for (index, line) in text.lines.enumerated() {
        for name in line.utf8.split(whereSeparator: { !$0.isLetter }) {
            let name = String(decoding: name, as: UTF8.self)
            guard retiredNames.contains(name) || name.words.contains(where: retiredWords.contains)
            else { continue }
            findings.append(Finding(path, index + 1, "\(name) is retired: see the glossary"))
        }
    }
    return findings
}

extension UInt8 {
    fileprivate var isLetter: Bool { isCapital || UInt8(ascii: "a")...UInt8(ascii: "z") ~= self }

    fileprivate var isCapital: Bool { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= self }
}

extension String {
    /// The words that a name in camel case is made of, in small letters.
    fileprivate var words: [String] {
        var words: [[UInt8]] = []
        var wasSmall = true
        for letter in utf8 {
            if words.isEmpty || letter.isCapital && wasSmall { words.append([]) }
            words[words.count - 1].append(letter | 0x20)
            wasSmall = !letter.isCapital
        }
        return words.map { String(decoding: $0, as: UTF8.self) }
    }
}
